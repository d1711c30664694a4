#!/usr/bin/env python3
"""The ELF kernel inside a bzImage: unpack-kernel.py VMLINUZ VMLINUX.

Where it lies is in the setup header of Linux' x86 boot protocol: setup_sects at 0x1f1, payload_offset and
payload_length at 0x248 and 0x24c, the offset from the end of the setup sectors.
"""
import lzma
import struct
import sys
import zlib

with open(sys.argv[1], "rb") as image:
    data = image.read()
setup_sectors = data[0x1F1] or 4
offset, length = struct.unpack_from("<II", data, 0x248)
start = (setup_sectors + 1) * 512 + offset
payload = data[start : start + length]
if payload.startswith(b"\xfd7zXZ\0"):
    kernel = lzma.LZMADecompressor().decompress(payload)
elif payload.startswith(b"\x1f\x8b"):
    kernel = zlib.decompressobj(31).decompress(payload)
else:
    sys.exit(f"{sys.argv[1]}: compressed in a way that is not known here: {payload[:6].hex()}")
if not kernel.startswith(b"\x7fELF"):
    sys.exit(f"{sys.argv[1]}: no ELF kernel in it")
with open(sys.argv[2], "wb") as out:
    out.write(kernel)

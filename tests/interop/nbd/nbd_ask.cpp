// One request of an NBD client, for tests whose tools ask for whole blocks only:
//   nbd_ask URI write|fua OFFSET LENGTH BYTE     writes so many times the byte; fua: durable when answered
//   nbd_ask URI read OFFSET LENGTH               what is there, to stdout
//   nbd_ask URI flush
#include <libnbd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

int main(int argc, char** argv) {
    const std::string_view what = argc > 2 ? argv[2] : "";
    const bool write = (what == "write" || what == "fua") && argc == 6;
    const bool read = what == "read" && argc == 5;
    if (!write && !read && !(what == "flush" && argc == 3)) {
        std::fprintf(stderr, "nbd_ask URI write|fua OFFSET LENGTH BYTE | read OFFSET LENGTH | flush\n");
        return 2;
    }
    const std::uint64_t offset = argc > 3 ? std::strtoull(argv[3], nullptr, 0) : 0;
    std::vector<char> bytes(argc > 4 ? std::strtoull(argv[4], nullptr, 0) : 0, write ? argv[5][0] : 0);

    nbd_handle* nbd = nbd_create();
    int done = nbd ? nbd_connect_uri(nbd, argv[1]) : -1;
    if (done == 0) {
        // The answer is to be the server's, not the library's.
        nbd_set_strict_mode(nbd, 0);
        if (write) done = nbd_pwrite(nbd, bytes.data(), bytes.size(), offset, what == "fua" ? LIBNBD_CMD_FLAG_FUA : 0);
        if (read) done = nbd_pread(nbd, bytes.data(), bytes.size(), offset, 0);
        if (what == "flush") done = nbd_flush(nbd, 0);
    }
    if (done < 0) std::fprintf(stderr, "%s\n", nbd_get_error());
    if (done == 0 && read) std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    nbd_close(nbd);
    return done == 0 ? 0 : 1;
}

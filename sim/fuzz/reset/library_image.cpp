#include "sim/fuzz/reset/library_image.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

constexpr std::size_t kPage = 4096;

std::span<std::byte> whole_pages(std::byte* at, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(at) / kPage * kPage;
    const auto end = (reinterpret_cast<std::uintptr_t>(at) + bytes + kPage - 1) / kPage * kPage;
    return {reinterpret_cast<std::byte*>(begin), end - begin};
}

bool is_address(std::uint32_t type) {
#if defined(__x86_64__)
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64;
#elif defined(__aarch64__)
    return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT || type == R_AARCH64_ABS64;
#else
    return false;
#endif
}

}  // namespace

LibraryImage::LibraryImage(const std::string& path) : path_(std::filesystem::absolute(path).string()) {
    void* const handle = dlopen(path_.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (!handle) return;
    link_map* map = nullptr;
    const bool known = dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0;
    // Whoever loaded it keeps it.
    dlclose(handle);
    if (!known) return;
    base_ = reinterpret_cast<std::byte*>(map->l_addr);
    dynamic_ = map->l_ld;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* self) {
            auto& image = *static_cast<LibraryImage*>(self);
            if (reinterpret_cast<std::byte*>(info->dlpi_addr) != image.base_) return 0;
            for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
                const auto& p = info->dlpi_phdr[i];
                const auto pages = whole_pages(image.base_ + p.p_vaddr, p.p_memsz);
                if (p.p_type == PT_LOAD && (p.p_flags & PF_W) != 0) image.data_.push_back(pages);
                if (p.p_type == PT_GNU_RELRO) image.relro_ = pages;
            }
            return 1;
        },
        this);
    read_imports();
}

void LibraryImage::read_imports() {
    const Elf64_Sym* symbols = nullptr;
    const char* names = nullptr;
    struct {
        const Elf64_Rela* first = nullptr;
        std::size_t bytes = 0;
    } tables[2];
    // Some C libraries leave these as they are in the file, others add the base.
    const auto place = [this](Elf64_Addr at) {
        const auto base = reinterpret_cast<Elf64_Addr>(base_);
        return at < base ? base + at : at;
    };
    for (auto d = static_cast<const Elf64_Dyn*>(dynamic_); d->d_tag != DT_NULL; ++d) {
        if (d->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const Elf64_Sym*>(place(d->d_un.d_ptr));
        if (d->d_tag == DT_STRTAB) names = reinterpret_cast<const char*>(place(d->d_un.d_ptr));
        if (d->d_tag == DT_RELA) tables[0].first = reinterpret_cast<const Elf64_Rela*>(place(d->d_un.d_ptr));
        if (d->d_tag == DT_RELASZ) tables[0].bytes = d->d_un.d_val;
        if (d->d_tag == DT_JMPREL) tables[1].first = reinterpret_cast<const Elf64_Rela*>(place(d->d_un.d_ptr));
        if (d->d_tag == DT_PLTRELSZ) tables[1].bytes = d->d_un.d_val;
    }
    if (!symbols || !names) return;
    for (const auto& table : tables)
        for (std::size_t i = 0; table.first && i < table.bytes / sizeof(Elf64_Rela); ++i) {
            const Elf64_Rela& r = table.first[i];
            const Elf64_Sym& symbol = symbols[ELF64_R_SYM(r.r_info)];
            const bool import = ELF64_R_SYM(r.r_info) != 0 && symbol.st_shndx == SHN_UNDEF;
            const bool address = is_address(static_cast<std::uint32_t>(ELF64_R_TYPE(r.r_info)));
            if (import && address)
                imports_.push_back({names + symbol.st_name, reinterpret_cast<void**>(base_ + r.r_offset)});
            else if (import || ELF64_ST_TYPE(symbol.st_info) == STT_TLS)
                imports_.push_back({names + symbol.st_name, nullptr});
        }
}

void LibraryImage::make_imports_writable() const {
    if (relro_.empty()) return;
    check(mprotect(relro_.data(), relro_.size(), PROT_READ | PROT_WRITE) == 0, "a library's own pages can be written");
}

std::span<std::byte> LibraryImage::section(std::string_view name) const {
    std::ifstream in(path_, std::ios::binary);
    const std::string file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const auto read = [&file](std::size_t at, auto& out) {
        if (at > file.size() || sizeof out > file.size() - at) return false;
        std::memcpy(&out, file.data() + at, sizeof out);
        return true;
    };
    Elf64_Ehdr head;
    Elf64_Shdr texts, one;
    if (!read(0, head) || head.e_shoff == 0 || !read(head.e_shoff + head.e_shstrndx * sizeof texts, texts)) return {};
    for (std::size_t i = 0; i < head.e_shnum && read(head.e_shoff + i * sizeof one, one); ++i) {
        const std::size_t at = texts.sh_offset + one.sh_name;
        if (at < file.size() && name == file.c_str() + at) return {base_ + one.sh_addr, one.sh_size};
    }
    return {};
}

}  // namespace xenrig::fuzz

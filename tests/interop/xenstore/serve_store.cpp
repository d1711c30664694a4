// The store behind a unix socket, for the tests with real clients: serve_store PATH [c|o].
#include <cstdio>
#include <string_view>

#include "sim/xenstore/socket/socket_door.h"

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "serve_store PATH [c|o]\n");
        return 2;
    }
    using xenrig::xenstore::Personality;
    const bool o = argc > 2 && std::string_view(argv[2]) == "o";
    return xenrig::xenstore::run_xenstored({.path = argv[1], .personality = o ? Personality::o : Personality::c});
}

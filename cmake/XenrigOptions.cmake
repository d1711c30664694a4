# What every file of the project is compiled with. Warnings are errors; the sanitizers come from the presets.

option(XENRIG_TESTS "Build the tests" ON)
set(XENRIG_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

add_library(xenrig_options INTERFACE)
# clang sees libstdc++ 12 itself call what that marks deprecated (std::stable_sort); g++ keeps watch over our own calls.
target_compile_options(xenrig_options INTERFACE
    -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wno-missing-field-initializers -fno-strict-aliasing
    $<$<CXX_COMPILER_ID:Clang>:-Wno-gnu-zero-variadic-macro-arguments -Wno-c99-extensions -Wno-nested-anon-types
        -Wno-gnu-anonymous-struct -Wno-unused-private-field -Wno-deprecated-declarations>)
# Report places as users know them: xenrig/drivers/blk/blkfront.h, wherever the tree was built.
target_compile_options(xenrig_options INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/=)
# The public headers guard what is new by this.
target_compile_definitions(xenrig_options INTERFACE __XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__)

if(XENRIG_SANITIZE)
    add_compile_options(-fsanitize=${XENRIG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${XENRIG_SANITIZE})
    if(XENRIG_SANITIZE MATCHES address)
        add_compile_definitions(XENRIG_ASAN)
    elseif(XENRIG_SANITIZE MATCHES thread)
        add_compile_definitions(XENRIG_TSAN)
    endif()
endif()

# A fuzzer is to learn from the code that it attacks, and pay for no other: that gets the fuzzer's counters, and what
# belongs to the simulator is compiled as in a release.
set(XENRIG_FUZZ "" CACHE STRING "Counters for a fuzzer, with clang: libfuzzer, or afl")
function(xenrig_fuzzed)
    cmake_parse_arguments(PARSE_ARGV 0 F "" "" "ATTACKED;SIMULATOR")
    if(XENRIG_FUZZ STREQUAL "libfuzzer")
        set(counters -fsanitize-coverage=inline-8bit-counters,pc-table)
    elseif(XENRIG_FUZZ STREQUAL "afl")
        set(counters -fsanitize-coverage=trace-pc-guard)
    elseif(XENRIG_FUZZ)
        message(FATAL_ERROR "XENRIG_FUZZ is libfuzzer or afl, not ${XENRIG_FUZZ}")
    endif()
    if(XENRIG_FUZZ)
        foreach(module ${F_ATTACKED})
            target_compile_options(xenrig_${module} PRIVATE ${counters})
        endforeach()
        foreach(module ${F_SIMULATOR})
            target_compile_options(xenrig_${module} PRIVATE -fno-sanitize=all)
        endforeach()
    endif()
endfunction()

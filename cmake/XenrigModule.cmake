# A module is a folder with a target of the same name, and an include root in which only its own headers stand.
#
# The roots are what keeps the arrows of docs/design.md pointing down: a module sees its own root and those of its
# DEPENDS, so including a folder that it does not name does not compile, whatever the folders on the disk.
#
#   xenrig_module(shared  HEADERS include/xenrig/shared  SOURCES a.cpp b.cpp  DEPENDS abi)
#
# HEADERS is the folder of headers, relative to the top; with no SOURCES the module is headers alone.

function(xenrig_module name)
    cmake_parse_arguments(PARSE_ARGV 1 M "" "HEADERS" "SOURCES;DEPENDS;LIBRARIES;PRIVATE_LIBRARIES")
    set(target xenrig_${name})
    set(root ${CMAKE_BINARY_DIR}/inc/${name})
    string(REGEX REPLACE "^include/" "" inside ${M_HEADERS})
    get_filename_component(parent ${root}/${inside} DIRECTORY)
    file(MAKE_DIRECTORY ${parent})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${M_HEADERS} ${root}/${inside} SYMBOLIC)

    if(M_SOURCES)
        add_library(${target} STATIC ${M_SOURCES})
        set(scope PUBLIC)
        target_link_libraries(${target} PRIVATE xenrig_options ${M_PRIVATE_LIBRARIES})
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(${target} ${scope} ${root})
    list(TRANSFORM M_DEPENDS PREPEND xenrig_)
    target_link_libraries(${target} ${scope} ${M_DEPENDS} ${M_LIBRARIES})
endfunction()

# The target tests_LABEL builds these programs too.
function(xenrig_labelled label)
    if(NOT TARGET tests_${label})
        add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${ARGN})
endfunction()

# A GoogleTest program: xenrig_test(NAME shared_test SOURCES window_test.cpp DEPENDS shared)
# LABEL threads also makes it part of the target tests_threads, which builds just what `ctest -L threads` runs.
function(xenrig_test)
    cmake_parse_arguments(PARSE_ARGV 0 T "" "NAME;LABEL" "SOURCES;DEPENDS;LIBRARIES")
    add_executable(${T_NAME} ${T_SOURCES})
    list(TRANSFORM T_DEPENDS PREPEND xenrig_)
    target_link_libraries(${T_NAME} PRIVATE xenrig_options ${T_DEPENDS} ${T_LIBRARIES} GTest::gtest GTest::gtest_main)
    target_compile_definitions(${T_NAME} PRIVATE XENRIG_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                 XENRIG_BINARY_DIR="${CMAKE_BINARY_DIR}")
    if(T_LABEL)
        xenrig_labelled(${T_LABEL} ${T_NAME})
    endif()
    # A parameter is printed as its bytes, which are another build's tomorrow: a test's name is without it.
    gtest_discover_tests(${T_NAME} DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES PROPERTIES LABELS "${T_LABEL}")
endfunction()

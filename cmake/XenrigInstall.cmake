# What an installation has, and a .deb of it (`cpack -G DEB`): the command, what it needs at run time, the headers, one
# library for C++ users, examples of subjects in C, and find_package(xenrig), which gives
#
#   xenrig::subject   a driver in C: headers alone, for a shared library that `xenrig ... --subject` loads
#   xenrig::world     C++: scenarios, runs, tokens and subjects, for tests (GoogleTest or any other)

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One library of all that stands behind the installed headers. Nothing of it is compiled twice.
set(library_modules abi shared platform c xenbus drivers_blk guest scenario subjects world)
set(anchor ${CMAKE_BINARY_DIR}/library/anchor.cpp)
file(CONFIGURE OUTPUT ${anchor} CONTENT "// A library needs a source; its content are the modules.\n")
add_library(xenrig_library SHARED ${anchor})
set_target_properties(xenrig_library PROPERTIES OUTPUT_NAME xenrig VERSION ${PROJECT_VERSION} EXPORT_NAME world
    SOVERSION ${PROJECT_VERSION} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/library)
set(archives)
foreach(module ${library_modules})
    list(APPEND archives $<TARGET_FILE:xenrig_${module}>)
    add_dependencies(xenrig_library xenrig_${module})
endforeach()
target_link_options(xenrig_library PRIVATE LINKER:--whole-archive ${archives} LINKER:--no-whole-archive)
set_property(TARGET xenrig_library PROPERTY LINK_DEPENDS ${archives})
target_link_libraries(xenrig_library PRIVATE $<BUILD_INTERFACE:xenrig_world> $<BUILD_INTERFACE:xenrig_subjects>)
target_compile_features(xenrig_library INTERFACE cxx_std_23)
# The public headers of Xen guard what is new by this.
set(interface_version __XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__)
target_compile_definitions(xenrig_library INTERFACE ${interface_version})
target_include_directories(xenrig_library INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

add_library(xenrig_subject INTERFACE)
set_target_properties(xenrig_subject PROPERTIES EXPORT_NAME subject)
target_include_directories(xenrig_subject INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_definitions(xenrig_subject INTERFACE ${interface_version})
# A task of a domain that dies is unwound through the subject's frames.
target_compile_options(xenrig_subject INTERFACE -fexceptions)

install(TARGETS xenrig RUNTIME)
install(TARGETS xenrig_library xenrig_subject EXPORT xenrigTargets LIBRARY)
if(TARGET xenrig_nbdkit_plugin)
    install(TARGETS xenrig_nbdkit_plugin LIBRARY DESTINATION lib/xenrig)
endif()
install(DIRECTORY include/xenrig DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY fixtures/scenarios DESTINATION ${CMAKE_INSTALL_DATADIR}/xenrig)
install(DIRECTORY tests/subjects/ DESTINATION ${CMAKE_INSTALL_DATADIR}/xenrig/examples
    FILES_MATCHING PATTERN "*.c" PATTERN "*.h" PATTERN bad_library.c EXCLUDE)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/xenrig)
install(EXPORT xenrigTargets NAMESPACE xenrig:: DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/xenrigConfig.cmake.in ${CMAKE_BINARY_DIR}/library/xenrigConfig.cmake
    INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/library/xenrigConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/library/xenrigConfig.cmake ${CMAKE_BINARY_DIR}/library/xenrigConfigVersion.cmake
    DESTINATION ${package_folder})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME xenrig)
set(CPACK_PACKAGE_CONTACT "the Xenrig project <xenrig@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "the world that a Xen guest lives in, in one process, to test drivers in")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The headers stand on Xen's public ones.
set(CPACK_DEBIAN_PACKAGE_DEPENDS libxen-dev)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nbdkit, cmake, libgtest-dev")
include(CPack)

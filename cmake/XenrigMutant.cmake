# A mutant is our own code with a known bug put back: fixtures/mutants/NAME.patch, which says what the bug is, which
# sources to rebuild with it, in which scenario and under which memory model it shows, and which rules may catch it.
#
# The patched files stand in a tree of their own; the sources that the patch names are compiled against that tree first,
# and the mutant's objects come before the libraries they replace parts of. The project's own sources are not touched.

find_program(XENRIG_PATCH patch REQUIRED)

function(xenrig_mutant name)
    set(patch ${CMAKE_SOURCE_DIR}/fixtures/mutants/${name}.patch)
    set(tree ${CMAKE_BINARY_DIR}/mutants/${name})
    file(STRINGS ${patch} rebuilds REGEX "^Rebuilds: ")
    file(STRINGS ${patch} scenario REGEX "^Scenario: ")
    file(STRINGS ${patch} model REGEX "^Model: ")
    file(STRINGS ${patch} caught REGEX "^Caught by: ")
    file(STRINGS ${patch} changed REGEX "^--- a/")
    string(REPLACE "Rebuilds: " "" rebuilds "${rebuilds}")
    string(REPLACE "Scenario: " "" scenario "${scenario}")
    string(REPLACE "Model: " "" model "${model}")
    string(REPLACE "Caught by: " "" caught "${caught}")
    string(REPLACE "--- a/" "" changed "${changed}")
    string(REPLACE " " ";" rebuilds "${rebuilds}")

    # Copied and patched afresh whenever the patch or one of the files changes.
    set(originals ${changed} ${rebuilds})
    list(REMOVE_DUPLICATES originals)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${patch})
    foreach(file ${originals})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
        cmake_path(GET file PARENT_PATH folder)
        file(COPY ${CMAKE_SOURCE_DIR}/${file} DESTINATION ${tree}.new/${folder})
    endforeach()
    execute_process(COMMAND ${XENRIG_PATCH} -p1 -s -N -i ${patch} WORKING_DIRECTORY ${tree}.new RESULT_VARIABLE failed
                    OUTPUT_VARIABLE said ERROR_VARIABLE said)
    # A test that fails says so: who is at work on these sources, or has put the bug in to look at it, builds on.
    if(failed)
        file(REMOVE_RECURSE ${tree}.new)
        set(misfit "fixtures/mutants/${name}.patch does not fit the sources: make it anew, unless they have it applied")
        message(STATUS "${misfit}\n${said}")
        add_test(NAME Mutant.${name} COMMAND ${CMAKE_COMMAND} -E echo "${misfit}")
        set_tests_properties(Mutant.${name} PROPERTIES LABELS mutants WILL_FAIL TRUE)
        return()
    endif()
    # What is the same stays as old as it is, so that nothing is compiled twice.
    foreach(file ${originals})
        cmake_path(GET file PARENT_PATH folder)
        file(MAKE_DIRECTORY ${tree}/${folder})
        file(COPY_FILE ${tree}.new/${file} ${tree}/${file} ONLY_IF_DIFFERENT)
    endforeach()
    file(REMOVE_RECURSE ${tree}.new)

    set(folders)
    foreach(file ${rebuilds})
        cmake_path(GET file PARENT_PATH folder)
        list(APPEND folders ${CMAKE_SOURCE_DIR}/${folder})
    endforeach()
    list(REMOVE_DUPLICATES folders)
    list(TRANSFORM rebuilds PREPEND ${tree}/)
    set(arguments ${scenario} ${model} "${caught}")
    if(scenario STREQUAL ring)
        add_executable(mutant_${name} ring_hunt.cpp)
    elseif(scenario STREQUAL store-model)
        # Found by a difference from the plain model, of no more than these steps (tests/model).
        add_executable(mutant_${name} ${CMAKE_SOURCE_DIR}/tests/model/store_model.cpp ${rebuilds})
        target_link_libraries(mutant_${name} PRIVATE xenrig_store_model)
        set(arguments --hunt --seeds 1000 --steps-max 12)
    elseif(scenario MATCHES "^fuzz-")
        # Found by a named seed of the fuzz target, or by what is made of them.
        add_executable(mutant_${name} ${rebuilds})
        target_link_libraries(mutant_${name} PRIVATE xenrig_fuzz_hunt)
    else()
        add_executable(mutant_${name} hunt.cpp ${rebuilds})
    endif()
    # The sources' private headers stay where they are.
    target_include_directories(mutant_${name} BEFORE PRIVATE ${tree}/include)
    target_include_directories(mutant_${name} PRIVATE ${folders})
    target_link_libraries(mutant_${name} PRIVATE xenrig_options xenrig_world xenrig_ring)
    target_compile_definitions(mutant_${name} PRIVATE XENRIG_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME Mutant.${name} COMMAND mutant_${name} ${arguments})
    set_tests_properties(Mutant.${name} PROPERTIES LABELS mutants TIMEOUT 300
        ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
endfunction()

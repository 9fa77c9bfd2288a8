# Layers. A layer's headers are included as "<layer>/<header>.h" through a folder of the build tree that holds one link, named
# after the layer, to its sources. A target sees the folders of the layers it links and no others, so an upward include fails.

# pp_layer(<name> ROOT <dir> SOURCES ... DEPS <layers and libraries>)
function(pp_layer name)
    cmake_parse_arguments(L "" "ROOT" "SOURCES;DEPS" ${ARGN})
    if(NOT L_ROOT)
        set(L_ROOT ${CMAKE_CURRENT_SOURCE_DIR})
    endif()
    set(folder ${CMAKE_BINARY_DIR}/layers/${name})
    file(MAKE_DIRECTORY ${folder})
    file(CREATE_LINK ${L_ROOT} ${folder}/${name} SYMBOLIC)
    add_library(pp_${name} STATIC ${L_SOURCES})
    target_include_directories(pp_${name} PUBLIC ${folder})
    target_link_libraries(pp_${name} PUBLIC ${L_DEPS})
endfunction()

# pp_component(<target> SOURCES ... DEPS ...): one component's folder; no header of it is included from outside.
function(pp_component target)
    cmake_parse_arguments(C "" "" "SOURCES;DEPS" ${ARGN})
    add_library(${target} STATIC ${C_SOURCES})
    target_link_libraries(${target} PUBLIC pp_pipeline ${C_DEPS})
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR PARENT_PATH kind)
    cmake_path(GET kind FILENAME kind)
    set_property(GLOBAL APPEND PROPERTY PP_COMPONENTS_${kind} ${target})
endfunction()

# pp_component_table(<kinds>): the library with <kinds>.c, the table of the kind's factories, and all components added below this folder.
function(pp_component_table kinds)
    get_property(components GLOBAL PROPERTY PP_COMPONENTS_${kinds})
    add_library(pp_${kinds} STATIC ${kinds}.c)
    target_link_libraries(pp_${kinds} PUBLIC pp_pipeline ${components})
endfunction()

# pp_test(<name> SOURCES ... DEPS ... [ARGS ...] [LABELS ...] [TIMEOUT s]): a cmocka program run by ctest; its working
# directory is the folder of the CMakeLists.txt that names it, so testdata/ is found there.
function(pp_test name)
    cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;DEPS;ARGS;LABELS" ${ARGN})
    if(NOT BUILD_TESTING OR PP_FUZZ)
        return()
    endif()
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 60)
    endif()
    if(NOT T_LABELS)
        set(T_LABELS unit)
    endif()
    add_executable(${name} ${T_SOURCES})
    target_link_libraries(${name} PRIVATE ${T_DEPS} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name} ${T_ARGS} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}" SKIP_RETURN_CODE 77)
endfunction()

# pp_embed(<file> <header> <function> <out-var>): makes a C file that defines `struct pp_str <function>(void)` with the file's
# bytes, declared in <header>; puts the C file's path into <out-var>.
function(pp_embed file header function out)
    get_filename_component(path ${file} ABSOLUTE)
    set(made ${CMAKE_CURRENT_BINARY_DIR}/${function}.c)
    add_custom_command(OUTPUT ${made}
        COMMAND ${CMAKE_COMMAND} -DIN=${path} -DOUT=${made} -DHEADER=${header} -DFUNCTION=${function}
                -P ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
        DEPENDS ${path} ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake VERBATIM)
    set(${out} ${made} PARENT_SCOPE)
endfunction()

# Compiler and linker flags common to every target. PP_SANITIZE, PP_COVERAGE and PP_FUZZ come from the presets.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(PP_SANITIZE "" CACHE STRING "value of -fsanitize= for every target, empty for none")
option(PP_COVERAGE "instrument for gcov" OFF)
option(PP_FUZZ "build the libFuzzer targets (clang only)" OFF)
option(PP_ALLOC_FAULTS "let tests make the n-th allocation fail" OFF)

add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                    -Wpointer-arith -Wwrite-strings -Wvla -fno-strict-aliasing
                    -fno-common -fno-omit-frame-pointer
                    -Wno-override-init) # PP_FACTORY_DEFAULTS stands before the slots that replace it
add_compile_definitions(_GNU_SOURCE PP_VERSION="${PROJECT_VERSION}")

if(PP_SANITIZE)
    # Instrumented code makes gcc see uninitialised variables where there are none (its manual says so).
    add_compile_options(-fsanitize=${PP_SANITIZE} -fno-sanitize-recover=all
                        $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    add_link_options(-fsanitize=${PP_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
    add_compile_definitions(_FORTIFY_SOURCE=2)
    add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()
if(PP_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
if(PP_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(PP_ALLOC_FAULTS)
    add_compile_definitions(PP_ALLOC_FAULTS)
endif()
# NDEBUG stays unset in a release: assertions guard preconditions in production too.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

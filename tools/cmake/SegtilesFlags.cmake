# Compiler flags shared by all targets.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # POSIX calls
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)

# For C alone: nvcc takes other options.
macro(sg_c_options)
  foreach(option IN ITEMS ${ARGN})
    add_compile_options($<$<COMPILE_LANGUAGE:C>:${option}>)
  endforeach()
endmacro()

# -ffp-contract=off: a result must not depend on which multiply-adds a compiler chose to fuse.
sg_c_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wvla -Wno-unused-parameter -ffp-contract=off)
add_compile_definitions(_GNU_SOURCE SEGTILES_VERSION="${PROJECT_VERSION}")
if(SEGTILES_WERROR)
  sg_c_options(-Werror)
endif()
if(SEGTILES_COVERAGE)
  sg_c_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
if(SEGTILES_SANITIZE)
  sg_c_options(-fsanitize=${SEGTILES_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SEGTILES_SANITIZE})
endif()

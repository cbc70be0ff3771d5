# sg_module(NAME LINKS ...): one static library of all C files below the current folder.
# Its include root is the module's parent, so that a header is named with its folder: "nn/graph.h".
function(sg_module name)
  cmake_parse_arguments(M "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  if(NOT sources)
    add_library(sg_${name} INTERFACE)
    return()
  endif()
  add_library(sg_${name} STATIC ${sources})
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR PARENT_PATH parent)
  target_include_directories(sg_${name} PUBLIC ${parent})
  target_link_libraries(sg_${name} PUBLIC ${M_PUBLIC} PRIVATE ${M_PRIVATE} m)
endfunction()

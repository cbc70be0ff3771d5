# sg_test(FOLDER FILE LINKS...): a cmocka test as one ctest test "FOLDER.NAME" with FOLDER as its label.
function(sg_test folder file)
  cmake_path(GET file STEM stem)
  string(REGEX REPLACE "^test_" "" name ${stem})
  set(target test_${folder}_${name})
  add_executable(${target} ${file})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${ARGN} PkgConfig::CMOCKA m)
  add_test(NAME ${folder}.${name} COMMAND ${target})
  set_tests_properties(${folder}.${name} PROPERTIES LABELS ${folder} TIMEOUT 300)
endfunction()

# sg_mpi_test(FOLDER FILE "1;2;4" LINKS...): the same run by mpirun at each rank count, under timeout.
function(sg_mpi_test folder file ranks)
  cmake_path(GET file STEM stem)
  string(REGEX REPLACE "^test_" "" name ${stem})
  set(target test_${folder}_${name})
  add_executable(${target} ${file})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${ARGN} PkgConfig::CMOCKA m)
  foreach(n IN LISTS ranks)
    add_test(NAME ${folder}.${name}.${n}
      COMMAND timeout -k 5 240 ${CMAKE_SOURCE_DIR}/tests/support/mpirun.sh ${n} $<TARGET_FILE:${target}>)
    set_tests_properties(${folder}.${name}.${n} PROPERTIES LABELS ${folder} TIMEOUT 300 PROCESSORS 2)
  endforeach()
endfunction()

# sg_script_test(FOLDER FILE): a shell or Python script; it gets the program's path as its first argument and
# exits 77 to say that it was skipped.
function(sg_script_test folder file)
  cmake_path(GET file STEM name)
  add_test(NAME ${folder}.${name}
    COMMAND timeout -k 5 900 ${CMAKE_CURRENT_SOURCE_DIR}/${file} $<TARGET_FILE:segtiles>)
  set_tests_properties(${folder}.${name} PROPERTIES LABELS ${folder} TIMEOUT 920 PROCESSORS 2
    SKIP_RETURN_CODE 77)
endfunction()

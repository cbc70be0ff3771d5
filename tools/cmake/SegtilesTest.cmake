# What all tests of a build share. Under sanitizers: see tests/support/sanitize.
function(sg_test_executable target file)
  add_executable(${target} ${file})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${ARGN} PkgConfig::CMOCKA m)
endfunction()

function(sg_test_properties test folder timeout)
  if(SEGTILES_SANITIZE)
    math(EXPR timeout "3 * ${timeout}")
  endif()
  set_tests_properties(${test} PROPERTIES LABELS ${folder} TIMEOUT ${timeout} ${ARGN})
  if(SEGTILES_SANITIZE)
    set(folder ${CMAKE_SOURCE_DIR}/tests/support/sanitize)
    set_tests_properties(${test} PROPERTIES ENVIRONMENT
      "LD_PRELOAD=$<TARGET_FILE:nodlclose>;ASAN_OPTIONS=verify_asan_link_order=0:allocator_may_return_null=1;LSAN_OPTIONS=suppressions=${folder}/lsan.supp:print_suppressions=0;UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1")
  endif()
endfunction()

# sg_test(FOLDER FILE LINKS...): a cmocka test as one ctest test "FOLDER.NAME" with FOLDER as its label.
# Where cmocka is missing (see tests/CMakeLists.txt), there is no such test.
function(sg_test folder file)
  if(NOT TARGET PkgConfig::CMOCKA)
    return()
  endif()
  cmake_path(GET file STEM stem)
  string(REGEX REPLACE "^test_" "" name ${stem})
  sg_test_executable(test_${folder}_${name} ${file} ${ARGN})
  add_test(NAME ${folder}.${name} COMMAND test_${folder}_${name})
  sg_test_properties(${folder}.${name} ${folder} 300)
endfunction()

# sg_test_below_avx512(FOLDER NAME): the test of that name once more, on a processor that has no AVX-512.
function(sg_test_below_avx512 folder name)
  if(NOT TARGET PkgConfig::CMOCKA)
    return()
  endif()
  add_test(NAME ${folder}.${name}.avx2 COMMAND test_${folder}_${name})
  sg_test_properties(${folder}.${name}.avx2 ${folder} 300)
  set_property(TEST ${folder}.${name}.avx2 APPEND PROPERTY ENVIRONMENT DNNL_MAX_CPU_ISA=AVX2)
endfunction()

# sg_mpi_test(FOLDER FILE "1;2;4" LINKS...): the same run by mpirun at each rank count, under timeout.
function(sg_mpi_test folder file ranks)
  cmake_path(GET file STEM stem)
  string(REGEX REPLACE "^test_" "" name ${stem})
  set(target test_${folder}_${name})
  sg_test_executable(${target} ${file} ${ARGN})
  foreach(n IN LISTS ranks)
    add_test(NAME ${folder}.${name}.${n}
      COMMAND timeout -k 5 240 ${CMAKE_SOURCE_DIR}/tests/support/mpirun.sh ${n} $<TARGET_FILE:${target}>)
    sg_test_properties(${folder}.${name}.${n} ${folder} 300 PROCESSORS 2)
  endforeach()
endfunction()

# sg_script_test(FOLDER FILE): a shell or Python script; it gets the program's path as its first argument and
# exits 77 to say that it was skipped.
function(sg_script_test folder file)
  cmake_path(GET file STEM name)
  add_test(NAME ${folder}.${name}
    COMMAND timeout -k 5 900 ${CMAKE_CURRENT_SOURCE_DIR}/${file} $<TARGET_FILE:segtiles>)
  sg_test_properties(${folder}.${name} ${folder} 920 PROCESSORS 2 SKIP_RETURN_CODE 77)
endfunction()

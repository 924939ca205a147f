# Fuzz targets: tests/fuzz/NAME.c is a program fuzz_NAME, whose corpus lies in tests/fuzz/NAME/.
if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR "CR_FUZZ needs clang")
endif()
file(GLOB targets CONFIGURE_DEPENDS tests/fuzz/*.c)
foreach(source ${targets})
  cmake_path(GET source STEM name)
  add_executable(fuzz_${name} ${source})
  target_include_directories(fuzz_${name} PRIVATE src)
  target_link_libraries(fuzz_${name} PRIVATE chainrule_static)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME fuzz.${name} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/run.sh
    $<TARGET_FILE:fuzz_${name}> ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/${name})
endforeach()

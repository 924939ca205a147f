# Tests: tests/ROOM/NAME.c is a cmocka program test_ROOM_NAME, linked with the static library so that it reaches every room;
# examples/*.c are built and run, their output compared with the .out file beside them; tests/cli/*.test are commands with the
# expected text beside them.
find_path(CMOCKA_INCLUDE cmocka.h)
find_library(CMOCKA_LIBRARY cmocka)
find_package(Python3 COMPONENTS Interpreter)
set(sanitize_flags "")
if(CR_SANITIZE)
  set(sanitize_flags -fsanitize=${CR_SANITIZE})
endif()

# What a test does itself is soon done: compiling it better takes longer than it saves. What it tests is compiled as ever.
set(own_code -O1)
if(CR_SANITIZE)
  set(own_code -O0)
endif()

if(CMOCKA_INCLUDE AND CMOCKA_LIBRARY)
  file(GLOB support CONFIGURE_DEPENDS tests/support/*.c)
  add_library(test_support STATIC EXCLUDE_FROM_ALL ${support})
  target_include_directories(test_support PRIVATE src tests)
  target_include_directories(test_support SYSTEM PRIVATE ${CMOCKA_INCLUDE})
  target_compile_definitions(test_support PRIVATE TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/tests/data")
  target_link_libraries(test_support PRIVATE chainrule_static)
  file(GLOB tests CONFIGURE_DEPENDS tests/*/*.c)
  list(FILTER tests EXCLUDE REGEX "tests/(support|fuzz|packaging)/")
  if(NOT libraries MATCHES Threads)
    list(FILTER tests EXCLUDE REGEX "tests/base/pool.c$")
  endif()
  if(NOT TARGET gradbench)
    list(FILTER tests EXCLUDE REGEX "tests/bench/gradbench.c$")
  endif()
  foreach(source ${tests})
    cmake_path(GET source STEM name)
    cmake_path(GET source PARENT_PATH room)
    cmake_path(GET room FILENAME room)
    set(test test_${room}_${name})
    add_executable(${test} ${source})
    target_include_directories(${test} PRIVATE src tests)
    target_include_directories(${test} SYSTEM PRIVATE ${CMOCKA_INCLUDE})
    target_compile_definitions(${test} PRIVATE TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/tests/data")
    target_compile_options(${test} PRIVATE ${own_code})
    if(test STREQUAL "test_bench_gradbench")
      target_link_libraries(${test} PRIVATE gradbench)
    endif()
    if(test STREQUAL "test_rewrite_rules")
      target_sources(${test} PRIVATE ${pattern_reader})
    endif()
    target_link_libraries(${test} PRIVATE test_support chainrule_static ${CMOCKA_LIBRARY} ${libraries} ${CMAKE_DL_LIBS} m)
    add_test(NAME ${room}.${name} COMMAND ${test})
    # A sanitizer too answers an allocation that cannot be granted with NULL, as the C library does.
    set_tests_properties(${room}.${name} PROPERTIES ENVIRONMENT
      "ASAN_OPTIONS=allocator_may_return_null=1;TSAN_OPTIONS=allocator_may_return_null=1:die_after_fork=0")
  endforeach()
else()
  message(STATUS "cmocka not found: no unit tests")
endif()

file(GLOB examples CONFIGURE_DEPENDS examples/*.c)
foreach(source ${examples})
  cmake_path(GET source STEM name)
  add_executable(example_${name} ${source})
  target_link_libraries(example_${name} PRIVATE chainrule_static)
  if(Python3_FOUND)
    add_test(NAME example.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/run_and_compare.py
      $<TARGET_FILE:example_${name}> ${CMAKE_CURRENT_SOURCE_DIR}/examples/${name}.out)
  endif()
endforeach()

if(Python3_FOUND AND TARGET chainrule)
  file(GLOB cases CONFIGURE_DEPENDS tests/cli/*.test)
  foreach(case ${cases})
    cmake_path(GET case STEM name)
    add_test(NAME cli.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/cli_test.py
      $<TARGET_FILE:chainrule> ${case})
    set_tests_properties(cli.${name} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=allocator_may_return_null=1")
  endforeach()
  add_test(NAME bench.standing COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tests/bench/standing.py)
  find_program(VALGRIND valgrind)
  if(VALGRIND AND NOT CR_SANITIZE)
    add_test(NAME formula.linear COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tests/formula/linear.py
      $<TARGET_FILE:chainrule>)
  endif()
  find_program(CHROMIUM NAMES chromium google-chrome)
  find_program(CHROMEDRIVER chromedriver)
  if(CHROMIUM AND CHROMEDRIVER)
    add_test(NAME page.browser COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tests/page/page.py $<TARGET_FILE:chainrule>)
  else()
    message(STATUS "chromium or chromedriver not found: explain's page is not tried in a browser")
  endif()
  find_program(PDFLATEX pdflatex)
  if(PDFLATEX)
    add_test(NAME page.latex COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tests/page/latex.py $<TARGET_FILE:chainrule>)
  else()
    message(STATUS "pdflatex not found: explain's LaTeX is not set")
  endif()
  add_test(NAME cli.examples_of_help COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/help_examples.py
    $<TARGET_FILE:chainrule> ${CMAKE_CURRENT_SOURCE_DIR}/examples)
  add_test(NAME docs.man COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/man_page.py
    $<TARGET_FILE:chainrule> ${CMAKE_CURRENT_SOURCE_DIR}/man/chainrule.1)
  file(GLOB documents CONFIGURE_DEPENDS README.md docs/*.md)
  foreach(document ${documents})
    cmake_path(GET document STEM name)
    add_test(NAME docs.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/doc_examples.py
      --program $<TARGET_FILE:chainrule> --include ${CMAKE_CURRENT_SOURCE_DIR}/include --include ${made}
      --library $<TARGET_FILE:chainrule_shared> --cc ${CMAKE_C_COMPILER} "--flags=${sanitize_flags}" ${document})
  endforeach()
endif()

# Emitted C in a program of its own.
if(TARGET chainrule)
  add_test(NAME emit.standalone COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/tests/emit/standalone.sh
    $<TARGET_FILE:chainrule> ${CMAKE_CURRENT_SOURCE_DIR}/examples ${CMAKE_C_COMPILER})
endif()

find_program(ARM_CC arm-linux-gnueabihf-gcc)
find_program(QEMU_ARM qemu-arm)
if(TARGET chainrule AND ARM_CC AND QEMU_ARM)
  add_test(NAME emit.arm COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/tests/emit/arm.sh
    $<TARGET_FILE:chainrule> ${CMAKE_CURRENT_SOURCE_DIR}/examples ${CMAKE_C_COMPILER})
elseif(TARGET chainrule)
  message(STATUS "arm-linux-gnueabihf-gcc or qemu-arm not found: emitted C is not tried on an ARM core")
endif()

# A checkpoint and SIGKILL: strace injects it. Where strace may not trace, the test is skipped.
find_program(STRACE strace)
if(STRACE AND TARGET chainrule AND NOT CR_SANITIZE)
  add_test(NAME crash.checkpoint COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/tests/crash/checkpoint.sh
    $<TARGET_FILE:chainrule> ${CMAKE_CURRENT_SOURCE_DIR}/tests/data/train)
  set_tests_properties(crash.checkpoint PROPERTIES SKIP_RETURN_CODE 77)
endif()

# The long ones begin first, so that none is left to run alone.
foreach(test run.compiled emit.table emit.control formula.linear page.browser device.library device.product run.inner)
  if(TEST ${test})
    set_tests_properties(${test} PROPERTIES COST 10)
  endif()
endforeach()

# What these commands do needs safetensors, gzip, npz and PNG.
if(NOT CR_ZLIB OR NOT CR_JANSSON OR NOT CR_LIBZIP OR NOT CR_LIBPNG OR NOT ZLIB_LIBRARY OR NOT JANSSON_LIBRARY)
  foreach(test cli.train cli.examples_of_help cli.bad_data cli.numbers cli.newcomer cli.sequence cli.explain crash.checkpoint page.browser)
    if(TEST ${test})
      set_tests_properties(${test} PROPERTIES DISABLED TRUE)
    endif()
  endforeach()
endif()

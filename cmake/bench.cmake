# Benchmarks: bench/NAME.c is a program bench_NAME.
file(GLOB benches CONFIGURE_DEPENDS bench/*.c)
foreach(source ${benches})
  cmake_path(GET source STEM name)
  add_executable(bench_${name} ${source})
  target_link_libraries(bench_${name} PRIVATE chainrule_static m)
endforeach()

# How every target of the project is made: one place for the language level, the warnings and the
# rule that a layer's library, its tests and its fuzz targets are found by name.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(HAWSER_CCACHE ccache)
if(HAWSER_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HAWSER_CCACHE})
endif()

# A quick linker when there is one: the sanitizer builds link dozens of test programs.
include(CheckCXXSourceCompiles)
foreach(linker mold lld)
  find_program(HAWSER_LINKER_${linker} ld.${linker})
  if(HAWSER_LINKER_${linker})
    set(CMAKE_REQUIRED_LINK_OPTIONS -fuse-ld=${linker})
    check_cxx_source_compiles("int main() {}" HAWSER_LINKS_WITH_${linker})
    unset(CMAKE_REQUIRED_LINK_OPTIONS)
    if(HAWSER_LINKS_WITH_${linker})
      add_link_options(-fuse-ld=${linker})
      break()
    endif()
  endif()
endforeach()

add_library(hawser_flags INTERFACE)
set_target_properties(hawser_flags PROPERTIES EXPORT_NAME flags)
target_include_directories(hawser_flags INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(hawser_flags INTERFACE cxx_std_23)
add_library(hawser_warnings INTERFACE)
target_compile_options(hawser_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(HAWSER_WERROR)
  target_compile_options(hawser_warnings INTERFACE -Werror)
endif()

# A header is parsed once for eight files instead of once for each: a third of the work. Names in
# anonymous namespaces have to be unique within a target. Of an optimised build only tests and
# programs: who links a library wants small objects, and in the one comparison made the echo's own
# part cost more. The presets `debug` and `lint` compile each file alone, which finds
# one that forgets an include.
if(HAWSER_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
  # It takes every file but the unit's own for a header.
  set(unit "$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>")
  add_compile_options($<${unit}:-Wno-subobject-linkage>)
endif()

# The standard's headers, and GoogleTest's for tests, parsed once instead of in each of hundreds of
# files: a quarter of what the sanitizer builds cost. Not for the other builds, which so find a file
# that forgets an include.
if(HAWSER_PCH)
  set(pch_headers <algorithm> <array> <atomic> <chrono> <coroutine> <cstdint> <deque> <expected>
      <functional> <map> <memory> <mutex> <optional> <ranges> <set> <span> <string> <string_view>
      <thread> <unordered_map> <utility> <variant> <vector>)
  file(WRITE ${CMAKE_BINARY_DIR}/pch/empty.cpp "")
  foreach(kind code tests)
    add_library(hawser_pch_${kind} OBJECT ${CMAKE_BINARY_DIR}/pch/empty.cpp)
    target_link_libraries(hawser_pch_${kind} PRIVATE hawser_warnings)
    target_compile_features(hawser_pch_${kind} PRIVATE cxx_std_23)
  endforeach()
  # A time in it would make each build of it another one for ccache.
  set(pch_options "SHELL:-Xclang -fno-pch-timestamp")
  target_compile_options(hawser_pch_code PRIVATE ${pch_options})
  target_compile_options(hawser_pch_tests PRIVATE ${pch_options} ${HAWSER_TEST_FLAGS})
  target_precompile_headers(hawser_pch_code PRIVATE ${pch_headers})
  if(HAWSER_TESTS)
    target_link_libraries(hawser_pch_tests PRIVATE GTest::gtest)
    target_precompile_headers(hawser_pch_tests PRIVATE ${pch_headers} <gtest/gtest.h>)
  endif()
endif()
function(hawser_use_pch target kind)
  if(HAWSER_PCH)
    target_precompile_headers(${target} REUSE_FROM hawser_pch_${kind})
    target_compile_options(${target} PRIVATE ${pch_options})
  endif()
endfunction()

# hawser_layer(NAME DEPENDS layers... LIBRARIES outside-libraries...)
# Builds hawser_NAME from every .cpp of the folder (and below) that is no test, and
# hawser_NAME_tests from every .test.cpp; what tests of this layer and of those above share stands
# in folders `testing` and is hawser_NAME_testing. (A .module.cpp is a shared object that tests
# load.) An outside library is private: users of the layer link it but never see its headers. Name it
# in cmake/hawserConfig.cmake.in too, for installed users.
function(hawser_layer name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "\\.test\\.cpp$")
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "\\.(test|module)\\.cpp$")
  set(helpers ${sources})
  list(FILTER helpers INCLUDE REGEX "/testing/[^/]*$")
  list(FILTER sources EXCLUDE REGEX "/testing/[^/]*$")
  if(NOT sources)  # a layer whose first file is still to come links all the same
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
  endif()
  add_library(hawser_${name} STATIC ${sources})
  add_library(hawser::${name} ALIAS hawser_${name})
  set_target_properties(hawser_${name} PROPERTIES EXPORT_NAME ${name} LINKER_LANGUAGE CXX)
  list(TRANSFORM arg_DEPENDS PREPEND hawser_)
  target_link_libraries(hawser_${name} PUBLIC hawser_flags ${arg_DEPENDS}
                        PRIVATE $<BUILD_INTERFACE:hawser_warnings> ${arg_LIBRARIES})
  if(NOT HAWSER_UNITY STREQUAL "all")
    set_target_properties(hawser_${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  hawser_use_pch(hawser_${name} code)
  set_property(GLOBAL APPEND PROPERTY HAWSER_LIBRARIES hawser_${name})
  if(HAWSER_TESTS AND helpers)
    add_library(hawser_${name}_testing STATIC ${helpers})
    target_link_libraries(hawser_${name}_testing PUBLIC hawser_${name}
                          PRIVATE hawser_warnings ${arg_LIBRARIES})
    hawser_use_pch(hawser_${name}_testing code)
    set_property(GLOBAL APPEND PROPERTY HAWSER_TESTING_LIBRARIES hawser_${name}_testing)
  endif()
  if(HAWSER_TESTS AND tests)
    hawser_test(hawser_${name}_tests SOURCES ${tests} DEPENDS hawser_${name})
  endif()
endfunction()

# hawser_test(TARGET SOURCES files... DEPENDS targets... [LABELS labels...]): a GoogleTest program,
# each of its tests one ctest test whose name begins with the layer: net.Listener.closes. With
# HAWSER_TEST_SHARDS they are so many ctest tests instead, each a part of the program's: net.shard_1.
function(hawser_test target)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  string(REGEX REPLACE "^hawser_(.*)_tests$" "\\1" prefix ${target})
  add_executable(${target} ${arg_SOURCES})
  get_property(helpers GLOBAL PROPERTY HAWSER_TESTING_LIBRARIES)
  target_link_libraries(${target} PRIVATE ${helpers} ${arg_DEPENDS}
                        $<BUILD_INTERFACE:hawser_warnings>
                        GTest::gtest GTest::gmock GTest::gtest_main rapidcheck)
  target_compile_options(${target} PRIVATE ${HAWSER_TEST_FLAGS})
  hawser_use_pch(${target} tests)
  if(NOT HAWSER_TEST_SHARDS)
    gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${prefix}."
                         PROPERTIES TIMEOUT 300 LABELS "${arg_LABELS}")
    return()
  endif()
  # A sanitizer takes longer to start a program than most tests take.
  foreach(shard RANGE 1 ${HAWSER_TEST_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${prefix}.shard_${shard} COMMAND ${target} --gtest_brief=1)
    set_tests_properties(
      ${prefix}.shard_${shard} PROPERTIES TIMEOUT 1500 LABELS "${arg_LABELS}"
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${HAWSER_TEST_SHARDS};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()

# hawser_program(TARGET SOURCES files... DEPENDS targets...)
function(hawser_program target)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_DEPENDS} $<BUILD_INTERFACE:hawser_warnings>)
endfunction()

if(HAWSER_TESTS)
  include(GoogleTest)
endif()

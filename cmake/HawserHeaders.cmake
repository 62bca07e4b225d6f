# The target check_headers: every public header compiled alone, so that no header lives off what
# its users happened to include before it. Built by `./test lint`, not by a plain build.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} hawser/*.hpp)
list(FILTER headers EXCLUDE REGEX "/detail/")
set(units)
foreach(header IN LISTS headers)
  set(unit ${CMAKE_BINARY_DIR}/check_headers/${header}.cpp)
  # Twice: #pragma once must be there.
  set(text "#include <${header}>\n#include <${header}>  // NOLINT\n")
  file(CONFIGURE OUTPUT ${unit} CONTENT "${text}" @ONLY)
  list(APPEND units ${unit})
endforeach()
if(units)
  add_library(check_headers OBJECT EXCLUDE_FROM_ALL ${units})
  set_target_properties(check_headers PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(check_headers PRIVATE hawser hawser_warnings)
endif()

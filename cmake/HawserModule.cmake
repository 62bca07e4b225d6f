# Handlers in shared objects (docs/code_change.md), for the project itself and for its users.

# hawser_handler_module(TARGET SOURCES files...): builds TARGET.so, which `hawser serve TARGET.so`
# loads. Not linked with hawser: its functions come from the program that loads it. Hidden and not
# unique, since two versions of one handler are in memory at a time and the older one must go.
function(hawser_handler_module target)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden
                        VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  if(TARGET hawser_flags)
    target_link_libraries(${target} PRIVATE hawser_flags hawser_warnings)
  else()
    target_link_libraries(${target} PRIVATE hawser::flags)
  endif()
endfunction()

# hawser_exports_to_modules(TARGET): the program can load such handlers. All of the layers that a
# handler may use is linked in, used by the program or not, and can be found by the loader.
function(hawser_exports_to_modules target)
  if(TARGET hawser_net)
    set(layers hawser_net,hawser_process,hawser_engine,hawser_base)
  else()
    set(layers hawser::net,hawser::process,hawser::engine,hawser::base)
  endif()
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
  set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${layers}")
endfunction()

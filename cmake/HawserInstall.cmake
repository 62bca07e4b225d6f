# `cmake --install`: the program, each layer's library with its headers, and the package by which
# `find_package(hawser)` gives hawser::hawser and hawser::LAYER.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hawser)
get_property(libraries GLOBAL PROPERTY HAWSER_LIBRARIES)

install(TARGETS hawser_flags ${libraries} EXPORT hawserTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT hawserTargets NAMESPACE hawser:: DESTINATION ${package_dir})

# `detail/` too: templates in public headers reach into it.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/hawser DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp")

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/hawserConfig.cmake.in
                              ${CMAKE_BINARY_DIR}/hawserConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break users.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hawserConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hawserConfig.cmake ${CMAKE_BINARY_DIR}/hawserConfigVersion.cmake
              ${CMAKE_SOURCE_DIR}/cmake/HawserModule.cmake
        DESTINATION ${package_dir})
if(TARGET hawser_program)
  install(TARGETS hawser_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Included through CMAKE_PROJECT_INCLUDE when ROS 2 comes from PyPI wheels.
#
# The wheels' exported targets name include folders and libraries of the machine
# that built them, which CMake refuses. Drop those that do not exist here: rosidl
# finds this Python's own, and the wheels carry the libraries under other names.
function(drop_missing_paths)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    foreach(property IN ITEMS INTERFACE_INCLUDE_DIRECTORIES INTERFACE_LINK_LIBRARIES)
      get_target_property(entries ${target} ${property})
      if(NOT entries)
        continue()
      endif()
      set(kept "")
      foreach(entry IN LISTS entries)
        if(NOT entry MATCHES "^/" OR EXISTS "${entry}")
          list(APPEND kept "${entry}")
        endif()
      endforeach()
      set_target_properties(${target} PROPERTIES ${property} "${kept}")
    endforeach()
  endforeach()
endfunction()
cmake_language(DEFER CALL drop_missing_paths)

# The wheels' librcl is linked with the messages' Python libraries, which leave
# Python's symbols to the interpreter. A C++ executable must be let off them here,
# and be given them when it runs: LD_PRELOAD=libpython3.x.so
string(APPEND CMAKE_EXE_LINKER_FLAGS " -Wl,--allow-shlib-undefined")

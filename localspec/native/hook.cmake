# Builds LocalSpec's kernels into llama.cpp's ggml-cpu:
#   CMAKE_ARGS=-DCMAKE_PROJECT_ggml_INCLUDE=…/localspec/native/hook.cmake
#
# CMake runs this after project(ggml). Nothing is patched: three of llama.cpp's functions are compiled under another name,
# and seam.cpp takes their place. Where the source tree or the compiler is not the expected one, the build goes on
# without the kernels and says so.

function(localspec_attach)
    set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})

    function(localspec_without why)
        message(WARNING "LocalSpec: building without its kernels: ${why}")
    endfunction()

    if(NOT TARGET ggml-cpu)
        localspec_without("this build has no ggml-cpu")
        return()
    endif()
    if(MSVC OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
        localspec_without("they need GCC or Clang, not ${CMAKE_CXX_COMPILER_ID}")
        return()
    endif()

    # What is renamed must be there, defined in this file and as expected.
    get_target_property(source ggml-cpu SOURCE_DIR)
    get_target_property(files ggml-cpu SOURCES)
    set(cpu ${source}/ggml-cpu)
    foreach(expected IN ITEMS
            "tiled/tiled.cpp|size_t ggml_tiled_wdata_size(int n_tasks, struct ggml_tensor * dst)"
            "tiled/tiled.h|bool ggml_compute_forward_mul_mat_tiled(const struct ggml_compute_params * params,"
            "ops.cpp|void ggml_compute_forward_flash_attn_ext("
            "ggml-cpu.c|if (ggml_compute_forward_mul_mat_tiled(params, dst)) {"
            "ggml-cpu.c|cur += ggml_tiled_wdata_size(n_tasks, node)"
            "ggml-cpu-impl.h|int  ggml_threadpool_chunk_add(struct ggml_threadpool * tp, int value);")
        string(REPLACE "|" ";" expected "${expected}")
        list(GET expected 0 file)
        list(GET expected 1 text)
        set(found -1)
        if(EXISTS ${cpu}/${file})
            file(READ ${cpu}/${file} content)
            string(FIND "${content}" "${text}" found)
        endif()
        if(found EQUAL -1)
            localspec_without("llama.cpp's ${file} is not the one they were written for")
            return()
        endif()
    endforeach()
    foreach(file IN ITEMS tiled/tiled.cpp ops.cpp)
        if(NOT "ggml-cpu/${file}" IN_LIST files)
            localspec_without("ggml-cpu does not compile ${file}")
            return()
        endif()
    endforeach()

    # One file for each instruction set the compiler knows; the processor is asked at run time.
    include(CheckCXXCompilerFlag)
    set(sources seam.cpp)
    set(known "")
    function(localspec_isa name file flags)
        string(REPLACE " " ";" list "${flags}")
        string(MAKE_C_IDENTIFIER "LOCALSPEC_FLAGS_${name}" check)
        set(CMAKE_REQUIRED_QUIET ON)
        check_cxx_compiler_flag("${flags}" ${check})
        if(${check})
            set(sources ${sources} ${file} PARENT_SCOPE)
            set(known ${known} ${name} PARENT_SCOPE)
            set_source_files_properties(${here}/${file} TARGET_DIRECTORY ggml-cpu PROPERTIES COMPILE_OPTIONS "${list}")
        endif()
    endfunction()
    if(GGML_SYSTEM_ARCH STREQUAL "x86" OR CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
        localspec_isa(AVX2 isa_avx2.cpp "-march=haswell")
        localspec_isa(AVX512 isa_avx512.cpp "-march=cascadelake -mprefer-vector-width=512")
        localspec_isa(AVX512_BF16 isa_avx512_bf16.cpp "-march=cooperlake -mprefer-vector-width=512")
    elseif(GGML_SYSTEM_ARCH STREQUAL "ARM" OR CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
        localspec_isa(NEON isa_neon.cpp "-march=armv8.2-a+dotprod")
    endif()

    set(quiet -Wno-psabi)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        list(APPEND quiet -Wno-maybe-uninitialized -Wno-uninitialized) # of GCC's own intrinsics
    endif()
    foreach(file IN LISTS sources)
        target_sources(ggml-cpu PRIVATE ${here}/${file})
        # Contracted products would depend on how the compiler arranges them.
        set_property(SOURCE ${here}/${file} TARGET_DIRECTORY ggml-cpu APPEND PROPERTY COMPILE_OPTIONS -ffp-contract=off ${quiet})
    endforeach()
    set(definitions "")
    foreach(name IN LISTS known)
        list(APPEND definitions LOCALSPEC_${name})
    endforeach()
    set_property(SOURCE ${here}/seam.cpp TARGET_DIRECTORY ggml-cpu APPEND PROPERTY COMPILE_DEFINITIONS ${definitions})
    set_property(SOURCE ${cpu}/tiled/tiled.cpp TARGET_DIRECTORY ggml-cpu APPEND PROPERTY COMPILE_DEFINITIONS
        ggml_compute_forward_mul_mat_tiled=ggml_compute_forward_mul_mat_tiled_of_llama
        ggml_tiled_wdata_size=ggml_tiled_wdata_size_of_llama)
    set_property(SOURCE ${cpu}/ops.cpp TARGET_DIRECTORY ggml-cpu APPEND PROPERTY COMPILE_DEFINITIONS
        ggml_compute_forward_flash_attn_ext=ggml_compute_forward_flash_attn_ext_of_llama)
    message(STATUS "LocalSpec: its kernels are built in (${known})")
endfunction()

# What Python asks of a step beside llama.cpp: a small library that lies with llama.cpp's own. It needs nothing of them,
# so it is built by every compiler and whatever the source tree.
function(localspec_steps)
    add_library(localspec-steps SHARED ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/steps.cpp)
    target_compile_features(localspec-steps PRIVATE cxx_std_17)
    if(NOT MSVC)
        target_compile_options(localspec-steps PRIVATE -ffp-contract=off)
    endif()
    set_target_properties(localspec-steps PROPERTIES CXX_VISIBILITY_PRESET hidden)
    if(DEFINED SKBUILD_PLATLIB_DIR)
        install(TARGETS localspec-steps
            LIBRARY DESTINATION ${SKBUILD_PLATLIB_DIR}/llama_cpp/lib
            RUNTIME DESTINATION ${SKBUILD_PLATLIB_DIR}/llama_cpp/lib)
    endif()
endfunction()

cmake_language(DEFER CALL localspec_steps)
cmake_language(DEFER CALL localspec_attach)

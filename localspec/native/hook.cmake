# Builds LocalSpec's kernels into llama.cpp's ggml-cpu:
#   CMAKE_ARGS=-DCMAKE_PROJECT_ggml_INCLUDE=…/localspec/native/hook.cmake
#
# CMake runs this after project(ggml). Nothing is patched: three of llama.cpp's functions are compiled under another name,
# and seam.cpp takes their place. Where the source tree or the compiler is not the expected one, the build goes on
# without the kernels and says so. With MSVC, which nobody has tried, each source is compiled by itself first, and what
# does not compile is left out.

option(LOCALSPEC_TRY "Compile each of LocalSpec's sources by itself first, and leave out what does not compile" ${MSVC})

# Sets `result` to whether `file` of this folder compiles with these options, definitions and folders of headers.
function(localspec_try result file options definitions folders)
    if(NOT LOCALSPEC_TRY)
        set(${result} TRUE PARENT_SCOPE)
        return()
    endif()
    string(MAKE_C_IDENTIFIER "LOCALSPEC_COMPILES_${file}" compiles)
    if(NOT ${compiles}) # a failure is tried again
        unset(${compiles} CACHE)
        list(TRANSFORM definitions PREPEND "-D")
        set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
        set(CMAKE_TRY_COMPILE_CONFIGURATION Release)
        try_compile(${compiles} ${CMAKE_CURRENT_BINARY_DIR}/localspec SOURCES ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${file}
            CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${folders}"
            COMPILE_DEFINITIONS ${options} ${definitions}
            CXX_STANDARD 17
            OUTPUT_VARIABLE output)
        if(NOT ${compiles})
            file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/localspec-${file}.log "${output}")
            message(WARNING "LocalSpec: ${file} does not compile, see ${CMAKE_CURRENT_BINARY_DIR}/localspec-${file}.log")
        endif()
    endif()
    set(${result} ${${compiles}} PARENT_SCOPE)
endfunction()

function(localspec_attach)
    set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})

    function(localspec_without why)
        message(WARNING "LocalSpec: building without its kernels: ${why}")
    endfunction()

    if(NOT TARGET ggml-cpu)
        localspec_without("this build has no ggml-cpu")
        return()
    endif()
    # ggml's AMX code is left out: built by GCC 12 it crashes at its first use, for that compiler's _tile_loadconfig says
    # that it reads 8 of a configuration's 64 bytes, and what stands in the others is optimized away (findings/).
    if(NOT MSVC)
        include(CheckCXXCompilerFlag)
        set(CMAKE_REQUIRED_QUIET ON)
        check_cxx_compiler_flag("-mno-amx-tile" LOCALSPEC_FLAGS_NO_AMX)
        if(LOCALSPEC_FLAGS_NO_AMX)
            target_compile_options(ggml-cpu PRIVATE -mno-amx-tile -mno-amx-int8 -mno-amx-bf16)
        endif()
    endif()
    if(NOT MSVC AND NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
        localspec_without("they need GCC, Clang or MSVC, not ${CMAKE_CXX_COMPILER_ID}")
        return()
    endif()
    if(WIN32 AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        localspec_without("GCC for Windows does not align vectors on the stack")
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

    # Contracted products would depend on how the compiler arranges them.
    if(NOT MSVC)
        set(options -ffp-contract=off -Wno-psabi)
        if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
            list(APPEND options -Wno-maybe-uninitialized -Wno-uninitialized) # of GCC's own intrinsics
        endif()
    elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        set(options /clang:-ffp-contract=off)
    else()
        set(options /fp:precise /utf-8 /bigobj /Zc:lambda)
    endif()
    set(folders ${source} ${cpu} ${source}/../include)

    # One file for each instruction set the compiler knows; the processor is asked at run time.
    include(CheckCXXCompilerFlag)
    set(known "")
    set(sources "")
    function(localspec_isa name file flags)
        string(REPLACE " " ";" list "${flags}")
        if(NOT MSVC)
            string(MAKE_C_IDENTIFIER "LOCALSPEC_FLAGS_${name}" check)
            set(CMAKE_REQUIRED_QUIET ON)
            check_cxx_compiler_flag("${flags}" ${check})
            if(NOT ${check})
                return()
            endif()
        elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
            list(TRANSFORM list PREPEND "/clang:")
        elseif(name MATCHES "AVX512")
            set(list /arch:AVX512)
        else()
            set(list /arch:AVX2)
        endif()
        localspec_try(compiles ${file} "${options};${list}" "" "${folders}")
        if(compiles)
            set(known ${known} ${name} PARENT_SCOPE)
            set(sources ${sources} ${here}/${file} PARENT_SCOPE)
            set_source_files_properties(${here}/${file} TARGET_DIRECTORY ggml-cpu PROPERTIES COMPILE_OPTIONS "${list};${options}")
        endif()
    endfunction()
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64" OR GGML_SYSTEM_ARCH STREQUAL "ARM")
        if(NOT MSVC)
            localspec_isa(NEON isa_neon.cpp "-march=armv8.2-a+dotprod")
            localspec_isa(NEON_I8MM isa_neon_i8mm.cpp "-march=armv8.2-a+dotprod+i8mm")
        endif()
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64" OR GGML_SYSTEM_ARCH STREQUAL "x86")
        localspec_isa(AVX2 isa_avx2.cpp "-march=haswell")
        localspec_isa(AVX_VNNI isa_avx_vnni.cpp "-march=haswell -mavxvnni")
        localspec_isa(AVX512 isa_avx512.cpp "-march=cascadelake -mprefer-vector-width=512")
        localspec_isa(AVX512_BF16 isa_avx512_bf16.cpp "-march=cooperlake -mprefer-vector-width=512")
    endif()
    if(NOT known)
        localspec_without("there are none for this processor and compiler")
        return()
    endif()
    set(definitions "")
    foreach(name IN LISTS known)
        list(APPEND definitions LOCALSPEC_${name})
    endforeach()

    localspec_try(compiles seam.cpp "${options}" "${definitions}" "${folders}")
    if(NOT compiles)
        localspec_without("seam.cpp does not compile")
        return()
    endif()
    target_sources(ggml-cpu PRIVATE ${here}/seam.cpp ${sources})
    set_source_files_properties(${here}/seam.cpp TARGET_DIRECTORY ggml-cpu PROPERTIES
        COMPILE_OPTIONS "${options}" COMPILE_DEFINITIONS "${definitions}")
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
    set(options -ffp-contract=off)
    if(MSVC)
        set(options /fp:precise /utf-8)
    endif()
    localspec_try(compiles steps.cpp "${options}" "" "")
    if(NOT compiles)
        return()
    endif()
    add_library(localspec-steps SHARED ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/steps.cpp)
    target_compile_features(localspec-steps PRIVATE cxx_std_17)
    target_compile_options(localspec-steps PRIVATE ${options})
    set_target_properties(localspec-steps PROPERTIES CXX_VISIBILITY_PRESET hidden)
    if(DEFINED SKBUILD_PLATLIB_DIR)
        install(TARGETS localspec-steps
            LIBRARY DESTINATION ${SKBUILD_PLATLIB_DIR}/llama_cpp/lib
            RUNTIME DESTINATION ${SKBUILD_PLATLIB_DIR}/llama_cpp/lib)
    endif()
endfunction()

# A graph for each number of rows, inside libllama, whose target comes after ggml's.
function(localspec_graphs)
    if(NOT TARGET llama)
        return()
    endif()
    set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
    get_target_property(source llama SOURCE_DIR)
    foreach(expected IN ITEMS
            "llama-context.h|std::array<llm_graph_result_ptr, 2> gf_res_prev"
            "llama-context.h|llm_graph_result * gf_res_prev_active = nullptr"
            "llama-context.h|bool sched_need_reserve = true"
            "llama-kv-cache.h|const uint32_t n_pad = 1"
            "llama-kv-cache.cpp|const uint32_t n_pad_cur = std::max(n_pad, 256u)"
            "llama-context.cpp|if (!graph_reuse_disable && gf_res_prev_active == res && res->can_reuse(gparams)) {"
            "llama-context.cpp|if (!ggml_backend_sched_alloc_graph(sched.get(), gf)) {")
        string(REPLACE "|" ";" expected "${expected}")
        list(GET expected 0 file)
        list(GET expected 1 text)
        set(found -1)
        if(EXISTS ${source}/${file})
            file(READ ${source}/${file} content)
            string(FIND "${content}" "${text}" found)
        endif()
        if(found EQUAL -1)
            message(WARNING "LocalSpec: one graph for all sizes: llama.cpp's ${file} is not the one graphs.cpp was written for")
            return()
        endif()
    endforeach()
    set(LOCALSPEC_TRY ON) # the chat needs it less than a build that succeeds
    localspec_try(compiles graphs.cpp "" "" "${source};${source}/../include;${source}/../ggml/include")
    if(compiles)
        target_sources(llama PRIVATE ${here}/graphs.cpp)
        set_source_files_properties(${here}/graphs.cpp TARGET_DIRECTORY llama PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
        message(STATUS "LocalSpec: a graph for each number of rows is built in")
    endif()
endfunction()

cmake_language(DEFER CALL localspec_steps)
cmake_language(DEFER CALL localspec_attach)
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL localspec_graphs)

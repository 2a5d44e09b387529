// As much of llama.cpp's ggml.h as the kernels need, so that tests compile them without its sources.
#pragma once

#include <cstddef>
#include <cstdint>

enum ggml_type {
    GGML_TYPE_F32 = 0,
    GGML_TYPE_F16 = 1,
    GGML_TYPE_Q4_0 = 2,
    GGML_TYPE_Q4_1 = 3,
    GGML_TYPE_Q8_0 = 8,
    GGML_TYPE_Q4_K = 12,
    GGML_TYPE_Q5_K = 13,
    GGML_TYPE_Q6_K = 14,
    GGML_TYPE_BF16 = 30,
    GGML_TYPE_COUNT
};

using ggml_fp16_t = uint16_t;
struct ggml_bf16_t {
    uint16_t bits;
};

// ggml-common.h
#define GGML_COMMON_DECL
#define QK4_0 32
#define QK4_1 32
#define QK8_0 32
#define QK_K 256
#define K_SCALE_SIZE 12
struct block_q4_0 {
    ggml_fp16_t d;
    uint8_t qs[16];
};
struct block_q4_1 {
    ggml_fp16_t d, m;
    uint8_t qs[16];
};
struct block_q8_0 {
    ggml_fp16_t d;
    int8_t qs[32];
};
struct block_q4_K {
    ggml_fp16_t d, dmin;
    uint8_t scales[12], qs[128];
};
struct block_q5_K {
    ggml_fp16_t d, dmin;
    uint8_t scales[12], qh[32], qs[128];
};
struct block_q6_K {
    uint8_t ql[128], qh[64];
    int8_t scales[16];
    ggml_fp16_t d;
};

inline size_t ggml_type_size(ggml_type type) {
    switch (type) {
        case GGML_TYPE_F32: return 4;
        case GGML_TYPE_F16:
        case GGML_TYPE_BF16: return 2;
        case GGML_TYPE_Q4_0: return sizeof(block_q4_0);
        case GGML_TYPE_Q4_1: return sizeof(block_q4_1);
        case GGML_TYPE_Q8_0: return sizeof(block_q8_0);
        case GGML_TYPE_Q4_K: return sizeof(block_q4_K);
        case GGML_TYPE_Q5_K: return sizeof(block_q5_K);
        case GGML_TYPE_Q6_K: return sizeof(block_q6_K);
        default: return 0;
    }
}

// Fills the table of one instruction set. Include after lanes_*.h; LOCALSPEC_BF16 names how BF16 is multiplied.
#pragma once

#include "products.h"
#include "wide.h"

#include "attention.h"

#ifndef LOCALSPEC_BF16
#define LOCALSPEC_BF16 Floats<ggml_bf16_t>
#endif

namespace localspec {
namespace {

// Calls job<Format>() for a quantized type or wide<How>() for a 16- or 32-bit one.
template <class Job> LOCALSPEC_INLINE auto with_type(int type, Job job) {
    switch (type) {
        case GGML_TYPE_Q4_0: return job.template blocks<Q4_0>();
        case GGML_TYPE_Q4_1: return job.template blocks<Q4_1>();
        case GGML_TYPE_Q8_0: return job.template blocks<Q8_0>();
        case GGML_TYPE_Q4_K: return job.template blocks<Q4_K>();
        case GGML_TYPE_Q5_K: return job.template blocks<Q5_K>();
        case GGML_TYPE_Q6_K: return job.template blocks<Q6_K>();
        case GGML_TYPE_F16: return job.template wide<Floats<ggml_fp16_t>>();
        case GGML_TYPE_BF16: return job.template wide<LOCALSPEC_BF16>();
        case GGML_TYPE_F32: return job.template wide<Floats<float>>();
        default: return job.none();
    }
}

struct Serves {
    int64_t k;
    template <class T> bool blocks() const { return k > 0 && k % T::block == 0; }
    template <class K> bool wide() const { return k > 0; }
    bool none() const { return false; }
};

struct PackedSize {
    int64_t n, k;
    template <class T> size_t blocks() const { return n * chunks(k) * sizeof(typename T::Row); }
    template <class K> size_t wide() const { return n * padded(k) * sizeof(typename K::Row); }
    size_t none() const { return 0; }
};

struct Pack {
    const Product & p;
    void * packed;
    int64_t index, parts;
    template <class T> void blocks() const { pack_rows<T>(p, packed, index, parts); }
    template <class K> void wide() const { pack_wide<K>(p, packed, index, parts); }
    void none() const {}
};

struct PanelRows {
    template <class T> int64_t blocks() const { return Lanes::rows * Lanes::panels; }
    template <class K> int64_t wide() const { return 4; }
    int64_t none() const { return 1; }
};

struct Multiply {
    const Product & p;
    const void * packed;
    int64_t first, last;
    template <class T> void blocks() const { multiply_rows<T>(p, packed, first, last); }
    template <class K> void wide() const { multiply_wide<K>(p, packed, first, last); }
    void none() const {}
};

bool serves(int type, int64_t k) { return with_type(type, Serves{k}); }
size_t packed_size(int type, int64_t n, int64_t k) { return with_type(type, PackedSize{n, k}); }
void pack(const Product & p, void * packed, int64_t index, int64_t parts) { with_type(p.type, Pack{p, packed, index, parts}); }
int64_t panel(int type) { return with_type(type, PanelRows{}); }
void multiply(const Product & p, const void * packed, int64_t first, int64_t last) {
    with_type(p.type, Multiply{p, packed, first, last});
}

constexpr Kernels table(const char * name) {
    return {name, serves, packed_size, pack, panel, multiply, attends, attend};
}

}  // namespace
}  // namespace localspec

// The same with products of BF16 pairs: Intel from Cooper Lake and Sapphire Rapids on, AMD from Zen 4 on.
#include "lanes_avx512.h"
#include "wide.h"

namespace localspec {
namespace {

// BF16 weights multiplied as they are, 32 to a register.
struct Bf16Pairs {
    using Weight = ggml_bf16_t;
    using Row = ggml_bf16_t;
    static constexpr int step = 32;
    using Piece = __m512bh;
    static LOCALSPEC_INLINE Piece load(const ggml_bf16_t * p) {  // compilers disagree on how this type is cast
        Piece x;
        std::memcpy(&x, p, sizeof x);
        return x;
    }
    static LOCALSPEC_INLINE Piece load_row(const ggml_bf16_t * p) { return load(p); }
    static LOCALSPEC_INLINE Lanes::Float add(Lanes::Float sum, Piece w, Piece a) { return _mm512_dpbf16_ps(sum, w, a); }
    static LOCALSPEC_INLINE ggml_bf16_t packed(float x) {
        const float rounded = rounded_as(x, static_cast<const ggml_bf16_t *>(nullptr));
        uint32_t bits;
        std::memcpy(&bits, &rounded, 4);
        return ggml_bf16_t{static_cast<uint16_t>(bits >> 16)};
    }
};

}  // namespace
}  // namespace localspec

#define LOCALSPEC_BF16 Bf16Pairs
#include "table.h"

namespace localspec {

const Kernels * avx512_bf16_kernels() {
    static constexpr Kernels kernels = table("avx512-vnni-bf16");
    return &kernels;
}

}  // namespace localspec

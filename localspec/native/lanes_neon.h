// Four weight rows side by side in NEON registers (with dot products of bytes). With LOCALSPEC_I8MM one instruction
// multiplies 8 bytes of two weight rows with those of two rows of activations.
#pragma once

#include <arm_neon.h>

#include "formats.h"

namespace localspec {
namespace {

struct Lanes {
    struct Int {
        uint32x4_t v;
    };
    struct Float {
        float32x4_t v;
    };
    static constexpr int rows = 4;             // weight rows in a register
    static constexpr int panels = 2;           // registers of weight rows computed together
    static constexpr int together = 4;         // rows of activations computed together
    static constexpr int at_once = 4;            // rows for which weights stay in registers
    static constexpr int32_t byte_offset = 0;  // signed bytes are stored as they are

    // ---- integers: lane r belongs to weight row r ----

    // 16 bytes of each of 4 rows: lane r of out[j] holds bytes 4j … 4j + 3 of row r.
    static LOCALSPEC_INLINE void columns(const uint8_t * p, size_t stride, Int * out) {
        const auto at = [&](int row) { return vreinterpretq_u32_u8(vld1q_u8(p + row * stride)); };
        const uint32x4_t r0 = at(0), r1 = at(1), r2 = at(2), r3 = at(3);
        const uint64x2_t a = vreinterpretq_u64_u32(vzip1q_u32(r0, r1)), b = vreinterpretq_u64_u32(vzip1q_u32(r2, r3));
        const uint64x2_t c = vreinterpretq_u64_u32(vzip2q_u32(r0, r1)), d = vreinterpretq_u64_u32(vzip2q_u32(r2, r3));
        out[0] = {vreinterpretq_u32_u64(vzip1q_u64(a, b))};
        out[1] = {vreinterpretq_u32_u64(vzip2q_u64(a, b))};
        out[2] = {vreinterpretq_u32_u64(vzip1q_u64(c, d))};
        out[3] = {vreinterpretq_u32_u64(vzip2q_u64(c, d))};
    }
    // The same bytes as `dots` takes them. With I8MM out[0] holds bytes 0 … 7 of rows 0 and 1, out[1] bytes 8 … 15, and
    // out[2] and out[3] those of rows 2 and 3.
#if defined(LOCALSPEC_I8MM)
    static constexpr bool by_columns = false;
    static LOCALSPEC_INLINE void weights(const uint8_t * p, size_t stride, Int * out) {
        const auto at = [&](int row) { return vreinterpretq_u64_u8(vld1q_u8(p + row * stride)); };
        LOCALSPEC_UNROLL
        for (int i = 0; i < 2; ++i) {
            const uint64x2_t r0 = at(2 * i), r1 = at(2 * i + 1);
            out[2 * i] = {vreinterpretq_u32_u64(vzip1q_u64(r0, r1))};
            out[2 * i + 1] = {vreinterpretq_u32_u64(vzip2q_u64(r0, r1))};
        }
    }
#else
    static constexpr bool by_columns = true;
    static LOCALSPEC_INLINE void weights(const uint8_t * p, size_t stride, Int * out) { columns(p, stride, out); }
#endif
    // The first four of 16 readable bytes of each row.
    static LOCALSPEC_INLINE Int words(const uint8_t * p, size_t stride) {
        uint32_t w[4];
        for (int r = 0; r < 4; ++r) std::memcpy(w + r, p + r * stride, 4);
        return {vld1q_u32(w)};
    }
    static LOCALSPEC_INLINE Int load(const Int * p) { return *p; }
    static LOCALSPEC_INLINE void store(Int * p, Int x) { *p = x; }
    static LOCALSPEC_INLINE Int bytes(int value) { return {vreinterpretq_u32_u8(vdupq_n_u8(static_cast<uint8_t>(value)))}; }
    static LOCALSPEC_INLINE Int both(Int a, Int b) { return {vandq_u32(a.v, b.v)}; }
    static LOCALSPEC_INLINE Int either(Int a, Int b) { return {vorrq_u32(a.v, b.v)}; }
    template <int N> static LOCALSPEC_INLINE Int right(Int x) {
        if constexpr (N == 0) return x;
        else return {vshrq_n_u32(x.v, N)};
    }
    template <int N> static LOCALSPEC_INLINE Int left(Int x) { return {vshlq_n_u32(x.v, N)}; }
    static LOCALSPEC_INLINE Int signed_bytes(Int x) { return x; }
    // Two 16-bit numbers from two of the unsigned bytes.
    template <int SHIFT> static LOCALSPEC_INLINE Int pair(Int x) {
        const Int y = right<SHIFT>(x);
        return either(both(y, {vdupq_n_u32(0xff)}), both(left<8>(y), {vdupq_n_u32(0xff0000)}));
    }

    // ---- floats ----

    static LOCALSPEC_INLINE Float zero() { return {vdupq_n_f32(0.f)}; }
    static LOCALSPEC_INLINE Float load(const float * p) { return {vld1q_f32(p)}; }
    static LOCALSPEC_INLINE void store(float * p, Float x) { vst1q_f32(p, x.v); }
    static LOCALSPEC_INLINE void store_some(float * p, Float x, int count) {
        if (count >= 4) {
            vst1q_f32(p, x.v);
        } else if (count > 0) {
            float all[4];
            vst1q_f32(all, x.v);
            std::memcpy(p, all, count * sizeof(float));
        }
    }
    static LOCALSPEC_INLINE Float all(float x) { return {vdupq_n_f32(x)}; }
    static LOCALSPEC_INLINE Float multiply(Float a, Float b) { return {vmulq_f32(a.v, b.v)}; }
    static LOCALSPEC_INLINE Float fused(Float a, Float b, Float c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
    static LOCALSPEC_INLINE Float number(Int x) { return {vcvtq_f32_s32(vreinterpretq_s32_u32(x.v))}; }
    static LOCALSPEC_INLINE Float low_half(Int x) { return {vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(x.v)))}; }
    static LOCALSPEC_INLINE Float high_half(Int x) { return low_half(right<16>(x)); }
    template <int J> static LOCALSPEC_INLINE Float byte(Int x) { return number(both(right<8 * J>(x), {vdupq_n_u32(0xff)})); }
    template <int J> static LOCALSPEC_INLINE Float signed_byte(Int x) {
        const Int up = J == 3 ? x : left<J == 3 ? 0 : 24 - 8 * J>(x);
        return {vcvtq_f32_s32(vshrq_n_s32(vreinterpretq_s32_u32(up.v), 24))};
    }

    // ---- products ----

    // Sums over 4·G bytes of C rows of activations, `step` bytes apart, for P registers of weight rows, `apart` registers
    // apart; the offset of the weights is taken off.
    template <int P, int C, int G, Range RANGE, bool OFFSET>
    static LOCALSPEC_INLINE void dots(const Int * w, size_t apart, const int8_t * a, size_t step, const int32_t * correction,
                                      Int (&sum)[P][C]) {
#if defined(LOCALSPEC_I8MM)
        constexpr int pairs = (C + 1) / 2;  // of rows of activations; the last one may be the same twice
        int32x4_t s[P][pairs][2];
        LOCALSPEC_UNROLL
        for (int p = 0; p < P; ++p) {
            LOCALSPEC_UNROLL
            for (int c = 0; c < pairs; ++c) s[p][c][0] = s[p][c][1] = vdupq_n_s32(0);
        }
        LOCALSPEC_UNROLL
        for (int j = 0; j < G; j += 4) {
            int8x16_t y[pairs][2];
            LOCALSPEC_UNROLL
            for (int c = 0; c < pairs; ++c) {
                const auto at = [&](int row) { return vreinterpretq_s64_s8(vld1q_s8(a + row * step + 4 * j)); };
                const int64x2_t y0 = at(2 * c), y1 = 2 * c + 1 < C ? at(2 * c + 1) : y0;
                y[c][0] = vreinterpretq_s8_s64(vzip1q_s64(y0, y1));
                y[c][1] = vreinterpretq_s8_s64(vzip2q_s64(y0, y1));
            }
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) {
                const auto x = [&](int i) { return vreinterpretq_s8_u32(w[p * apart + j + i].v); };
                const int8x16_t x0 = x(0), x1 = x(1), x2 = x(2), x3 = x(3);
                LOCALSPEC_UNROLL
                for (int c = 0; c < pairs; ++c) {
                    s[p][c][0] = vmmlaq_s32(vmmlaq_s32(s[p][c][0], x0, y[c][0]), x1, y[c][1]);
                    s[p][c][1] = vmmlaq_s32(vmmlaq_s32(s[p][c][1], x2, y[c][0]), x3, y[c][1]);
                }
            }
        }
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) {
                const int32x4_t * const t = s[p][c / 2];
                int32x4_t all = c % 2 == 0 ? vuzp1q_s32(t[0], t[1]) : vuzp2q_s32(t[0], t[1]);
                if constexpr (OFFSET) all = vaddq_s32(all, vdupq_n_s32(correction[c * (step / 4)]));
                sum[p][c] = {vreinterpretq_u32_s32(all)};
            }
        }
#else
        int32x4_t s[P][C];
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            const int32x4_t start = OFFSET ? vdupq_n_s32(correction[c * (step / 4)]) : vdupq_n_s32(0);
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) s[p][c] = start;
        }
        LOCALSPEC_UNROLL
        for (int j = 0; j < G; j += 4) {
            int8x16_t y[C];
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) y[c] = vld1q_s8(a + c * step + 4 * j);
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) {
                const auto x = [&](int i) { return vreinterpretq_s8_u32(w[p * apart + j + i].v); };
                const int8x16_t x0 = x(0), x1 = x(1), x2 = x(2), x3 = x(3);
                LOCALSPEC_UNROLL
                for (int c = 0; c < C; ++c) {
                    s[p][c] = vdotq_laneq_s32(s[p][c], x0, y[c], 0);
                    s[p][c] = vdotq_laneq_s32(s[p][c], x1, y[c], 1);
                    s[p][c] = vdotq_laneq_s32(s[p][c], x2, y[c], 2);
                    s[p][c] = vdotq_laneq_s32(s[p][c], x3, y[c], 3);
                }
            }
        }
        LOCALSPEC_UNROLL
        for (int p = 0; p < P; ++p) {
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) sum[p][c] = {vreinterpretq_u32_s32(s[p][c])};
        }
#endif
    }
    static LOCALSPEC_INLINE Int no_sum() { return {vdupq_n_u32(0)}; }
    // sum + products of two pairs of 16-bit numbers
    static LOCALSPEC_INLINE Int pairs(Int sum, Int w, int32_t a) {
        const int32x4_t low = vreinterpretq_s32_u32(vandq_u32(w.v, vdupq_n_u32(0xffff)));
        const int32x4_t high = vreinterpretq_s32_u32(vshrq_n_u32(w.v, 16));
        int32x4_t s = vmlaq_n_s32(vreinterpretq_s32_u32(sum.v), low, static_cast<int16_t>(a & 0xffff));
        s = vmlaq_n_s32(s, high, static_cast<int16_t>(static_cast<uint32_t>(a) >> 16));
        return {vreinterpretq_u32_s32(s)};
    }

    // ---- rows of activations ----

    static LOCALSPEC_INLINE float half_rounded(float x) { return static_cast<float>(static_cast<__fp16>(x)); }
    static LOCALSPEC_INLINE float largest(const float * x, int count) {  // a multiple of 4
        float32x4_t m = vdupq_n_f32(0.f);
        for (int i = 0; i < count; i += 4) m = vmaxq_f32(m, vabsq_f32(vld1q_f32(x + i)));
        return vmaxvq_f32(m);
    }
    // 16 values times `factor`, rounded to bytes; returns their sum.
    static LOCALSPEC_INLINE int32_t quantize16(const float * x, float factor, int8_t * q) {
        int32x4_t v[4];
        for (int i = 0; i < 4; ++i) v[i] = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), factor));
        const int16x8_t a = vcombine_s16(vqmovn_s32(v[0]), vqmovn_s32(v[1])), b = vcombine_s16(vqmovn_s32(v[2]), vqmovn_s32(v[3]));
        vst1q_s8(q, vcombine_s8(vqmovn_s16(a), vqmovn_s16(b)));
        return vaddvq_s32(vaddq_s32(vaddq_s32(v[0], v[1]), vaddq_s32(v[2], v[3])));
    }

    // ---- vectors along a row, for 16- and 32-bit weights and attention ----

    static constexpr int width = 4;
    static constexpr int together_wide = 4;
    static constexpr int queries_scored = 6, queries_valued = 4, value_registers = 4;
    static LOCALSPEC_INLINE Float loadu(const float * p) { return load(p); }
    static LOCALSPEC_INLINE void storeu(float * p, Float x) { store(p, x); }
    static LOCALSPEC_INLINE Float widen(const float * p) { return load(p); }
    static LOCALSPEC_INLINE Float widen(const ggml_fp16_t * p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
    static LOCALSPEC_INLINE Float widen(const ggml_bf16_t * p) {
        return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(reinterpret_cast<const uint16_t *>(p)), 16))};
    }
    static LOCALSPEC_INLINE float total(Float x) { return vaddvq_f32(x.v); }
    static LOCALSPEC_INLINE float greatest(Float x) { return vmaxvq_f32(x.v); }
    static LOCALSPEC_INLINE Float larger(Float a, Float b) { return {vmaxq_f32(a.v, b.v)}; }
    static LOCALSPEC_INLINE Float add(Float a, Float b) { return {vaddq_f32(a.v, b.v)}; }
    static LOCALSPEC_INLINE Float subtract(Float a, Float b) { return {vsubq_f32(a.v, b.v)}; }
    // 2^n for whole n
    static LOCALSPEC_INLINE Float power_of_two(Float n) {
        return {vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127)), 23))};
    }
    static LOCALSPEC_INLINE Float rounded(Float x) { return {vrndnq_f32(x.v)}; }
    // x where a > b, else 0
    static LOCALSPEC_INLINE Float where_greater(Float a, Float b, Float x) {
        return {vreinterpretq_f32_u32(vandq_u32(vcgtq_f32(a.v, b.v), vreinterpretq_u32_f32(x.v)))};
    }
    static LOCALSPEC_INLINE float half(uint16_t x) {
        __fp16 value;
        std::memcpy(&value, &x, 2);
        return static_cast<float>(value);
    }
    static LOCALSPEC_INLINE void transpose(Float * x) {
        const float64x2_t a = vreinterpretq_f64_f32(vzip1q_f32(x[0].v, x[1].v)), b = vreinterpretq_f64_f32(vzip1q_f32(x[2].v, x[3].v));
        const float64x2_t c = vreinterpretq_f64_f32(vzip2q_f32(x[0].v, x[1].v)), d = vreinterpretq_f64_f32(vzip2q_f32(x[2].v, x[3].v));
        x[0] = {vreinterpretq_f32_f64(vzip1q_f64(a, b))};
        x[1] = {vreinterpretq_f32_f64(vzip2q_f64(a, b))};
        x[2] = {vreinterpretq_f32_f64(vzip1q_f64(c, d))};
        x[3] = {vreinterpretq_f32_f64(vzip2q_f64(c, d))};
    }
    static LOCALSPEC_INLINE void prefetch(const void * p) { __builtin_prefetch(p, 0, 2); }
};

}  // namespace
}  // namespace localspec

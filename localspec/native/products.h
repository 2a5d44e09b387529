// The matrix product of quantized weights, written once for every instruction set. Include after a lanes_*.h.
//
// Weight rows lie side by side in a register ("panel"); their blocks are decoded once for up to 256 values of a row and
// then multiplied with every row of activations. An output is one chain of sums along the row, the same whatever rows
// and threads there are: row-count invariance is a property of this order, so keep it.
#pragma once

#include <cstdlib>
#include <type_traits>

#include "formats.h"
#include "kernels.h"

namespace localspec {
namespace {

using Int = Lanes::Int;
using Float = Lanes::Float;

template <int BLOCKS, bool MIN> struct Panel32 {
    alignas(64) Int w[CHUNK / 4];
    alignas(64) Float scale[BLOCKS];
    alignas(64) Float minimum[MIN ? BLOCKS : 1];
};

struct PanelK {
    alignas(64) Int w[CHUNK / 4];
    alignas(64) Float scale[16];  // of sub-blocks, without the super-block's
    alignas(64) Float d, dmin;
    alignas(64) Int minima[4];
};

// Fetches what is read two panels later into the second-level cache, a little with every block that is decoded. (Into the
// first, or one panel earlier, a row takes 1.4 × as long: the processor tracks few such requests.)
struct Prefetch {
    const char * at;
    const char * end;
    LOCALSPEC_INLINE void next(int bytes) {
        if (at >= end) return;
        for (int i = 0; i < bytes; i += 64) Lanes::prefetch(at + i);
        at += bytes;
    }
};

// ---- one source of truth per format ----

// A format of blocks of 32 with a float scale. decode() writes 8 registers of bytes, lane = weight row.
template <int BYTES, Range RANGE, int OFFSET, bool MIN> struct Blocks32 {
    static constexpr int block = 32, block_bytes = BYTES, offset = OFFSET;
    static constexpr Range range = RANGE;
    static constexpr bool has_min = MIN;
    using Row = Row32;
    using Panel = Panel32<8, MIN>;
};

// Nibbles of a block of 32: the first half of it low, the second high.
LOCALSPEC_INLINE void store_nibbles(const Int * q, Int * w) {
    LOCALSPEC_UNROLL
    for (int j = 0; j < 4; ++j) {
        Lanes::store(w + j, Lanes::both(q[j], Lanes::bytes(15)));
        Lanes::store(w + 4 + j, Lanes::both(Lanes::right<4>(q[j]), Lanes::bytes(15)));
    }
}

template <class T> LOCALSPEC_INLINE void decode_each(const uint8_t * p, size_t stride, int b, int blocks, typename T::Panel & panel, Prefetch & ahead) {
    for (; b < blocks; ++b) {
        ahead.next(T::block_bytes * Lanes::rows);
        T::decode(p + b * T::block_bytes, stride, b, panel);
    }
}

struct Q4_0 : Blocks32<18, Range::nibble, 8, false> {
    static LOCALSPEC_INLINE void decode(const uint8_t * p, size_t stride, int b, Panel & panel) {
        Int q[4];
        Lanes::columns(p + 2, stride, q);
        store_nibbles(q, panel.w + 8 * b);
        panel.scale[b] = Lanes::low_half(Lanes::words(p, stride));
    }
    static LOCALSPEC_INLINE void decode_blocks(const uint8_t * p, size_t stride, int blocks, Panel & panel, Prefetch & ahead) {
        decode_each<Q4_0>(p, stride, 0, blocks, panel, ahead);
    }
};

struct Q4_1 : Blocks32<20, Range::nibble, 0, true> {
    static LOCALSPEC_INLINE void decode(const uint8_t * p, size_t stride, int b, Panel & panel) {
        Int q[4];
        Lanes::columns(p + 4, stride, q);
        store(Lanes::words(p, stride), q, b, panel);
    }
    static LOCALSPEC_INLINE void store(Int head, const Int * q, int b, Panel & panel) {
        store_nibbles(q, panel.w + 8 * b);
        panel.scale[b] = Lanes::low_half(head);
        panel.minimum[b] = Lanes::high_half(head);
    }
    static LOCALSPEC_INLINE void decode_blocks(const uint8_t * p, size_t stride, int blocks, Panel & panel, Prefetch & ahead) {
        int b = 0;
        for (; b + 4 <= blocks; b += 4) {  // four blocks are five times 16 bytes
            Int x[20];
            LOCALSPEC_UNROLL
            for (int i = 0; i < 5; ++i) Lanes::columns(p + b * 20 + 16 * i, stride, x + 4 * i);
            LOCALSPEC_UNROLL
            for (int i = 0; i < 4; ++i) {
                ahead.next(block_bytes * Lanes::rows);
                store(x[5 * i], x + 5 * i + 1, b + i, panel);
            }
        }
        decode_each<Q4_1>(p, stride, b, blocks, panel, ahead);
    }
};

struct Q8_0 : Blocks32<34, Range::signed_byte, 0, false> {
    static LOCALSPEC_INLINE void decode(const uint8_t * p, size_t stride, int b, Panel & panel) {
        for (int half = 0; half < 2; ++half) {
            Int q[4];
            Lanes::columns(p + 2 + 16 * half, stride, q);
            for (int j = 0; j < 4; ++j) Lanes::store(panel.w + 8 * b + 4 * half + j, Lanes::signed_bytes(q[j]));
        }
        panel.scale[b] = Lanes::low_half(Lanes::words(p, stride));
    }
    static LOCALSPEC_INLINE void decode_blocks(const uint8_t * p, size_t stride, int blocks, Panel & panel, Prefetch & ahead) {
        decode_each<Q8_0>(p, stride, 0, blocks, panel, ahead);
    }
};

// A format of super-blocks of 256. decode() writes the whole panel.
template <int BYTES, Range RANGE, int OFFSET, bool MIN, int SUB> struct Blocks256 {
    static constexpr int block = 256, block_bytes = BYTES, offset = OFFSET, sub_block = SUB;
    // Which sub-block is the n-th in the panel, and in the sum.
    static constexpr int place(int n) { return n; }
    static constexpr Range range = RANGE;
    static constexpr bool has_min = MIN;
    using Row = Row256;
    using Panel = PanelK;
};

// The head that Q4_K and Q5_K share: d, dmin and eight scales and minima of 6 bits.
LOCALSPEC_INLINE void decode_head(const uint8_t * p, size_t stride, PanelK & panel) {
    Int head[4];
    Lanes::columns(p, stride, head);
    panel.d = Lanes::low_half(head[0]);
    panel.dmin = Lanes::high_half(head[0]);
    const Int six = Lanes::bytes(0x3f), four = Lanes::bytes(0x0f), two = Lanes::bytes(0x03);
    const auto upper = [&](Int x) { return Lanes::left<4>(Lanes::both(Lanes::right<6>(x), two)); };
    const Int scales[2] = {Lanes::both(head[1], six), Lanes::either(Lanes::both(head[3], four), upper(head[1]))};
    const Int minima[2] = {Lanes::both(head[2], six),
                           Lanes::either(Lanes::both(Lanes::right<4>(head[3]), four), upper(head[2]))};
    for (int i = 0; i < 2; ++i) {
        panel.scale[4 * i] = Lanes::byte<0>(scales[i]);
        panel.scale[4 * i + 1] = Lanes::byte<1>(scales[i]);
        panel.scale[4 * i + 2] = Lanes::byte<2>(scales[i]);
        panel.scale[4 * i + 3] = Lanes::byte<3>(scales[i]);
        panel.minima[2 * i] = Lanes::pair<0>(minima[i]);
        panel.minima[2 * i + 1] = Lanes::pair<16>(minima[i]);
    }
}

struct Q4_K : Blocks256<144, Range::nibble, 0, true, 32> {
    static LOCALSPEC_INLINE void decode(const uint8_t * p, size_t stride, PanelK & panel, Prefetch & ahead) {
        decode_head(p, stride, panel);
        for (int g = 0; g < 4; ++g) {
            ahead.next(block_bytes / 4 * Lanes::rows);
            group(p + 16 + 32 * g, stride, panel.w + 16 * g);
        }
    }
    // 64 values: low nibbles, then high ones.
    static LOCALSPEC_INLINE void group(const uint8_t * p, size_t stride, Int * w) {
        LOCALSPEC_UNROLL
        for (int half = 0; half < 2; ++half) {
            Int q[4];
            Lanes::columns(p + 16 * half, stride, q);
            LOCALSPEC_UNROLL
            for (int j = 0; j < 4; ++j) {
                Lanes::store(w + 4 * half + j, Lanes::both(q[j], Lanes::bytes(15)));
                Lanes::store(w + 4 * half + 8 + j, Lanes::both(Lanes::right<4>(q[j]), Lanes::bytes(15)));
            }
        }
    }
};

struct Q5_K : Blocks256<176, Range::five_bits, 0, true, 32> {
    template <int G> static LOCALSPEC_INLINE void group(const uint8_t * p, size_t stride, const Int * high, PanelK & panel, Prefetch & ahead) {
        ahead.next(block_bytes / 4 * Lanes::rows);
        for (int half = 0; half < 2; ++half) {
            Int q[4];
            Lanes::columns(p + 48 + 32 * G + 16 * half, stride, q);
            Int * w = panel.w + 16 * G + 4 * half;
            for (int j = 0; j < 4; ++j) {
                const Int bits = Lanes::right<2 * G>(Lanes::load(high + 4 * half + j));
                const Int fifth = Lanes::left<4>(Lanes::both(bits, Lanes::bytes(1)));
                const Int next = Lanes::left<3>(Lanes::both(bits, Lanes::bytes(2)));
                Lanes::store(w + j, Lanes::either(Lanes::both(q[j], Lanes::bytes(15)), fifth));
                Lanes::store(w + 8 + j, Lanes::either(Lanes::both(Lanes::right<4>(q[j]), Lanes::bytes(15)), next));
            }
        }
    }
    static LOCALSPEC_INLINE void decode(const uint8_t * p, size_t stride, PanelK & panel, Prefetch & ahead) {
        decode_head(p, stride, panel);
        alignas(64) Int high[8];
        Int h[4];
        for (int half = 0; half < 2; ++half) {
            Lanes::columns(p + 16 + 16 * half, stride, h);
            for (int j = 0; j < 4; ++j) Lanes::store(high + 4 * half + j, h[j]);
        }
        group<0>(p, stride, high, panel, ahead);
        group<1>(p, stride, high, panel, ahead);
        group<2>(p, stride, high, panel, ahead);
        group<3>(p, stride, high, panel, ahead);
    }
};

struct Q6_K : Blocks256<210, Range::six_bits, 32, false, 16> {
    // Of 128 values those come first whose bits are read together.
    static constexpr int place(int n) { return n / 8 * 8 + n % 4 * 2 + n / 4 % 2; }
    // Half of 128 values: four sub-blocks.
    static LOCALSPEC_INLINE void group(const uint8_t * p, size_t stride, int n, int half, Int * w) {
        const Int four = Lanes::bytes(15), two = Lanes::bytes(0x30);
        Int low[4], middle[4], high[4];
        Lanes::columns(p + 64 * n + 16 * half, stride, low);
        Lanes::columns(p + 64 * n + 32 + 16 * half, stride, middle);
        Lanes::columns(p + 128 + 32 * n + 16 * half, stride, high);
        LOCALSPEC_UNROLL
        for (int j = 0; j < 4; ++j) {
            const Int a = low[j], b = middle[j], h = high[j];
            Lanes::store(w + j, Lanes::either(Lanes::both(a, four), Lanes::both(Lanes::left<4>(h), two)));
            Lanes::store(w + 4 + j, Lanes::either(Lanes::both(b, four), Lanes::both(Lanes::left<2>(h), two)));
            Lanes::store(w + 8 + j, Lanes::either(Lanes::both(Lanes::right<4>(a), four), Lanes::both(h, two)));
            Lanes::store(w + 12 + j, Lanes::either(Lanes::both(Lanes::right<4>(b), four), Lanes::both(Lanes::right<2>(h), two)));
        }
    }
    static LOCALSPEC_INLINE void head(const uint8_t * p, size_t stride, PanelK & panel) {
        Int s[4];
        Lanes::columns(p + 192, stride, s);
        for (int n = 0; n < 2; ++n) {
            for (int i = 0; i < 2; ++i) {
                const Int four = s[2 * n + i];
                panel.scale[8 * n + 2 * i] = Lanes::signed_byte<0>(four);
                panel.scale[8 * n + 2 * i + 4] = Lanes::signed_byte<1>(four);
                panel.scale[8 * n + 2 * i + 1] = Lanes::signed_byte<2>(four);
                panel.scale[8 * n + 2 * i + 5] = Lanes::signed_byte<3>(four);
            }
        }
        Int tail[4];
        Lanes::columns(p + 194, stride, tail);
        panel.d = Lanes::high_half(tail[3]);
    }
    static LOCALSPEC_INLINE void decode(const uint8_t * p, size_t stride, PanelK & panel, Prefetch & ahead) {
        head(p, stride, panel);
        for (int g = 0; g < 4; ++g) {
            ahead.next((block_bytes + 6) / 4 * Lanes::rows);
            group(p, stride, g / 2, g % 2, panel.w + 16 * g);
        }
    }
};

// ---- P decoded panels × C rows of activations, up to 256 values ----

template <class T, int C>
LOCALSPEC_INLINE void multiply_chunk(const typename T::Panel * panel, int blocks, const Row32 * a, float * sums) {
    constexpr int P = Lanes::panels, R = Lanes::rows;
    constexpr size_t apart = sizeof(typename T::Panel) / sizeof(Int);
    Float sum[P][C];
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) sum[p][c] = Lanes::load(sums + (c * P + p) * R);
    }
    for (int b = 0; b < blocks; ++b) {
        Int t[P][C];
        Lanes::template dots<P, C, 8, T::range, T::offset != 0>(panel->w + 8 * b, apart, a->q + 32 * b, sizeof(Row32),
                                                                a->correction + b, t);
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            const Float scale = Lanes::all(a[c].scale[b]);
            if constexpr (T::has_min) {
                const Float total = Lanes::all(a[c].sum[b]);
                LOCALSPEC_UNROLL
                for (int p = 0; p < P; ++p) sum[p][c] = Lanes::fused(panel[p].minimum[b], total, sum[p][c]);
            }
            LOCALSPEC_UNROLL
            for (int p = 0; p < P; ++p) {
                sum[p][c] = Lanes::fused(Lanes::multiply(panel[p].scale[b], scale), Lanes::number(t[p][c]), sum[p][c]);
            }
        }
    }
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) Lanes::store(sums + (c * P + p) * R, sum[p][c]);
    }
}

// The end of a super-block: what its sub-blocks add up to, scaled, and the minima.
template <class T, int C, int P>
LOCALSPEC_INLINE void add_chunk(const PanelK * panel, const Float (&part)[P][C], const Row256 * a, float * sums) {
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) {
            float * const at = sums + (c * P + p) * Lanes::rows;
            Float sum = Lanes::load(at);
            if constexpr (T::has_min) {
                Int least = Lanes::no_sum();
                for (int i = 0; i < 4; ++i) least = Lanes::pairs(least, panel[p].minima[i], a[c].sums[i]);
                sum = Lanes::fused(Lanes::multiply(panel[p].dmin, Lanes::all(-a[c].scale)), Lanes::number(least), sum);
            }
            Lanes::store(at, Lanes::fused(Lanes::multiply(panel[p].d, Lanes::all(a[c].scale)), part[p][c], sum));
        }
    }
}

template <class T, int C>
LOCALSPEC_INLINE void multiply_chunk(const PanelK * panel, int, const Row256 * a, float * sums) {
    constexpr int P = Lanes::panels, groups = T::sub_block / 4, count = 256 / T::sub_block;
    constexpr size_t apart = sizeof(PanelK) / sizeof(Int);
    Float part[P][C];
    LOCALSPEC_UNROLL
    for (int p = 0; p < P; ++p) {
        LOCALSPEC_UNROLL
        for (int c = 0; c < C; ++c) part[p][c] = Lanes::zero();
    }
    for (int s = 0; s < count; ++s) {
        Int t[P][C];
        Lanes::template dots<P, C, groups, T::range, T::offset != 0>(panel->w + groups * s, apart, a->q + T::sub_block * T::place(s),
                                                                     sizeof(Row256), a->correction + T::place(s), t);
        LOCALSPEC_UNROLL
        for (int p = 0; p < P; ++p) {
            const Float scale = panel[p].scale[s];
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) part[p][c] = Lanes::fused(Lanes::number(t[p][c]), scale, part[p][c]);
        }
    }
    add_chunk<T, C, P>(panel, part, a, sums);
}

// ---- the same sums for few rows, with weights that stay in registers between decoding and multiplying ----

template <class T, int C>
LOCALSPEC_INLINE void multiply_at_once(const uint8_t * p, size_t stride, PanelK & panel, Prefetch & ahead, const Row256 * a, float * sums) {
    constexpr int subs = 64 / T::sub_block, groups = T::sub_block / 4;
    Float part[1][C];
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) part[0][c] = Lanes::zero();
    if constexpr (std::is_same_v<T, Q6_K>) {
        Q6_K::head(p, stride, panel);
    } else {
        decode_head(p, stride, panel);
    }
    for (int g = 0; g < 4; ++g) {
        ahead.next((T::block_bytes + 6) / 4 * Lanes::rows);
        Int w[16];
        if constexpr (std::is_same_v<T, Q6_K>) {
            Q6_K::group(p, stride, g / 2, g % 2, w);
        } else {
            T::group(p + 16 + 32 * g, stride, w);
        }
        LOCALSPEC_UNROLL
        for (int i = 0; i < subs; ++i) {
            const int s = subs * g + i, at = T::place(s);
            Int t[1][C];
            Lanes::template dots<1, C, groups, T::range, T::offset != 0>(w + groups * i, 0, a->q + T::sub_block * at, sizeof(Row256),
                                                                         a->correction + at, t);
            const Float scale = panel.scale[s];
            LOCALSPEC_UNROLL
            for (int c = 0; c < C; ++c) part[0][c] = Lanes::fused(Lanes::number(t[0][c]), scale, part[0][c]);
        }
    }
    add_chunk<T, C, 1>(&panel, part, a, sums);
}

// One block of Q4_1 in registers × C rows.
template <int C>
LOCALSPEC_INLINE void add_block(Int head, const Int * q, const Row32 * a, int b, Float (&sum)[C]) {
    Int w[8], t[1][C];
    store_nibbles(q, w);
    Lanes::template dots<1, C, 8, Q4_1::range, false>(w, 0, a->q + 32 * b, sizeof(Row32), a->correction, t);
    const Float scale = Lanes::low_half(head), minimum = Lanes::high_half(head);
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) {
        sum[c] = Lanes::fused(minimum, Lanes::all(a[c].sum[b]), sum[c]);
        sum[c] = Lanes::fused(Lanes::multiply(scale, Lanes::all(a[c].scale[b])), Lanes::number(t[0][c]), sum[c]);
    }
}

template <int C>
LOCALSPEC_INLINE void multiply_at_once(const uint8_t * p, size_t stride, int blocks, Prefetch & ahead, const Row32 * a, float * sums) {
    Float sum[C];
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) sum[c] = Lanes::load(sums + c * Lanes::rows);
    int b = 0;
    for (; b + 4 <= blocks; b += 4) {  // four blocks are five times 16 bytes
        Int x[20];
        LOCALSPEC_UNROLL
        for (int i = 0; i < 5; ++i) Lanes::columns(p + b * 20 + 16 * i, stride, x + 4 * i);
        LOCALSPEC_UNROLL
        for (int i = 0; i < 4; ++i) {
            ahead.next(Q4_1::block_bytes * Lanes::rows);
            add_block<C>(x[5 * i], x + 5 * i + 1, a, b + i, sum);
        }
    }
    for (; b < blocks; ++b) {
        Int q[4];
        ahead.next(Q4_1::block_bytes * Lanes::rows);
        Lanes::columns(p + b * 20 + 4, stride, q);
        add_block<C>(Lanes::words(p + b * 20, stride), q, a, b, sum);
    }
    LOCALSPEC_UNROLL
    for (int c = 0; c < C; ++c) Lanes::store(sums + c * Lanes::rows, sum[c]);
}

template <class T, int C>
LOCALSPEC_INLINE void multiply_rest(const typename T::Panel * panel, int blocks, const typename T::Row * a, int n, float * sums) {
    if constexpr (C > 0) {
        if (n == C) {
            multiply_chunk<T, C>(panel, blocks, a, sums);
        } else {
            multiply_rest<T, C - 1>(panel, blocks, a, n, sums);
        }
    }
}

// ---- rows of activations ----

template <class T> LOCALSPEC_INLINE void pack_chunk(const float * x, int count, Row32 & row) {
    constexpr int32_t offset = T::range == Range::signed_byte ? Lanes::byte_offset : T::offset;
    for (int b = 0; b < count / 32; ++b) {
        const float largest = Lanes::largest(x + 32 * b, 32);
        const float scale = largest / 127.f;
        const float factor = largest != 0.f ? 127.f / largest : 0.f;
        int32_t sum = Lanes::quantize16(x + 32 * b, factor, row.q + 32 * b);
        sum += Lanes::quantize16(x + 32 * b + 16, factor, row.q + 32 * b + 16);
        row.scale[b] = Lanes::half_rounded(scale);
        if constexpr (T::has_min) {
            row.sum[b] = Lanes::half_rounded(scale * static_cast<float>(sum));
        } else {
            row.correction[b] = -offset * sum;
        }
    }
}

template <class T> LOCALSPEC_INLINE void pack_chunk(const float * x, int, Row256 & row) {
    const float largest = Lanes::largest(x, 256);
    if (largest == 0.f) {
        std::memset(&row, 0, sizeof row);
        return;
    }
    float signed_largest = 0.f;  // the first of this size, as llama.cpp takes it
    for (int i = 0; i < 256; ++i) {
        if (x[i] == largest || x[i] == -largest) {
            signed_largest = x[i];
            break;
        }
    }
    const float factor = -127.f / signed_largest;
    int32_t sums[16];
    for (int i = 0; i < 16; ++i) {
        sums[i] = Lanes::quantize16(x + 16 * i, factor, row.q + 16 * i);
        row.correction[i] = -T::offset * sums[i];
    }
    for (int i = 0; i < 4; ++i) {
        const uint32_t low = static_cast<uint16_t>(sums[4 * i] + sums[4 * i + 1]);
        const uint32_t high = static_cast<uint16_t>(sums[4 * i + 2] + sums[4 * i + 3]);
        row.sums[i] = static_cast<int32_t>(low | high << 16);
    }
    row.scale = 1.f / factor;
}

inline int64_t chunks(int64_t k) { return (k + CHUNK - 1) / CHUNK; }

// Packed activations: chunk by chunk, the rows of a chunk one after the other.
template <class T> void pack_rows(const Product & p, void * packed, int64_t index, int64_t parts) {
    const int64_t jobs = p.n * chunks(p.k);
    for (int64_t job = jobs * index / parts; job < jobs * (index + 1) / parts; ++job) {
        const int64_t row = job % p.n, chunk = job / p.n;
        const float * x = reinterpret_cast<const float *>(p.rows + row * p.row_stride) + chunk * CHUNK;
        const int64_t left = p.k - chunk * CHUNK;
        pack_chunk<T>(x, static_cast<int>(left < CHUNK ? left : CHUNK), static_cast<typename T::Row *>(packed)[job]);
    }
}

// ---- the product ----

constexpr int64_t TILE = 512;  // rows of activations whose sums are kept while a panel is computed

template <class T> LOCALSPEC_INLINE void decode_chunk(const uint8_t * p, size_t stride, int blocks, typename T::Panel * panel, Prefetch & ahead) {
    for (int i = 0; i < Lanes::panels; ++i) {
        if constexpr (T::block == 32) {
            T::decode_blocks(p + i * Lanes::rows * stride, stride, blocks, panel[i], ahead);
        } else {
            T::decode(p + i * Lanes::rows * stride, stride, panel[i], ahead);
        }
    }
}

// Few rows by the ways above; false for formats that have none.
template <class T>
LOCALSPEC_INLINE bool few_at_once(const uint8_t * p, size_t stride, int blocks, typename T::Panel * panel, Prefetch & ahead,
                                  const typename T::Row * a, int n, float * sums) {
    const auto call = [&](auto count) __attribute__((always_inline)) {
        constexpr int C = decltype(count)::value;
        if constexpr (T::block == 256) {
            multiply_at_once<T, C>(p, stride, *panel, ahead, a, sums);
        } else {
            multiply_at_once<C>(p, stride, blocks, ahead, a, sums);
        }
    };
    if constexpr (Lanes::panels == 1 && (std::is_same_v<T, Q4_1> || std::is_same_v<T, Q4_K> || std::is_same_v<T, Q6_K>)) {
        switch (n) {
            case 1: call(std::integral_constant<int, 1>()); return true;
            case 2: call(std::integral_constant<int, 2>()); return true;
            case 3: call(std::integral_constant<int, 3>()); return true;
            case 4: call(std::integral_constant<int, 4>()); return true;
        }
        if constexpr (Lanes::at_once == 8) {
            switch (n) {
                case 5: call(std::integral_constant<int, 5>()); return true;
                case 6: call(std::integral_constant<int, 6>()); return true;
                case 7: call(std::integral_constant<int, 7>()); return true;
                case 8: call(std::integral_constant<int, 8>()); return true;
            }
        }
    }
    return false;
}

template <class T> void multiply_rows(const Product & p, const void * packed, int64_t first, int64_t last) {
    constexpr int R = Lanes::rows * Lanes::panels, C = Lanes::together;
    constexpr int chunk_bytes = CHUNK / T::block * T::block_bytes;
    alignas(64) float sums[TILE * R];
    alignas(64) typename T::Panel panel[Lanes::panels];
    const int64_t count = chunks(p.k);
    const char * const end = p.weights + last * p.weight_stride;
    for (int64_t n0 = 0; n0 < p.n; n0 += TILE) {
        const int64_t n = p.n - n0 < TILE ? p.n - n0 : TILE;
        for (int64_t m0 = first; m0 < last; m0 += R) {
            const int rows = static_cast<int>(last - m0 < R ? last - m0 : R);
            const char * weights = p.weights + m0 * p.weight_stride;
            Prefetch ahead{weights + 2 * R * p.weight_stride, end};
            std::memset(sums, 0, n * R * sizeof(float));
            for (int64_t chunk = 0; chunk < count; ++chunk) {
                const int64_t left = p.k - chunk * CHUNK;
                const int blocks = static_cast<int>((left < CHUNK ? left : CHUNK) / T::block);
                const uint8_t * w = reinterpret_cast<const uint8_t *>(weights) + chunk * chunk_bytes;
                const auto * a = static_cast<const typename T::Row *>(packed) + chunk * p.n + n0;
                if (n <= Lanes::at_once && rows == R && few_at_once<T>(w, p.weight_stride, blocks, panel, ahead, a, static_cast<int>(n), sums)) continue;
                if (rows == R) {
                    decode_chunk<T>(w, p.weight_stride, blocks, panel, ahead);
                } else {  // the last rows of a matrix: beside them zeros
                    alignas(64) uint8_t copy[R * chunk_bytes] = {};
                    for (int r = 0; r < rows; ++r) {
                        std::memcpy(copy + r * chunk_bytes, w + r * p.weight_stride, blocks * T::block_bytes);
                    }
                    decode_chunk<T>(copy, chunk_bytes, blocks, panel, ahead);
                }
                int64_t c = 0;
                for (; c + C <= n; c += C) multiply_chunk<T, C>(panel, blocks, a + c, sums + c * R);
                multiply_rest<T, C - 1>(panel, blocks, a + c, static_cast<int>(n - c), sums + c * R);
            }
            for (int64_t c = 0; c < n; ++c) {
                float * out = reinterpret_cast<float *>(p.out + (n0 + c) * p.out_stride) + m0;
                for (int r = 0; r < rows; r += Lanes::rows) Lanes::store_some(out + r, Lanes::load(sums + c * R + r), rows - r);
            }
        }
    }
}

}  // namespace
}  // namespace localspec

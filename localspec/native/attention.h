// Attention of rows to the cells of a KV cache, written once for every instruction set. Include after a lanes_*.h.
//
// A tile of rows with the heads that share a key head is computed together, over the cells that any of them sees, in the
// order of the cache. What one row does not see weighs exactly 0 and changes no bit of its sums, so its result depends
// neither on the rows beside it nor on cells of others and free ones between its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>

#include "formats.h"
#include "kernels.h"

namespace localspec {
namespace {

constexpr uint16_t HIDDEN = 0xfc00;  // −inf as F16: this row does not see this cell
constexpr int64_t AHEAD = 128;       // cells that are fetched before they are needed
constexpr int64_t VALUES = 64;       // cells whose values are widened at a time

// Memory of one thread that is kept from call to call.
class Scratch {
public:
    float * take(size_t floats) {
        const size_t from = used_;
        used_ += (floats + 15) / 16 * 16;
        return base_ + from;
    }
    void reset(size_t floats) {
        used_ = 0;
        if (floats <= size_) return;
        memory_.reset(new char[floats * sizeof(float) + 64]);
        base_ = reinterpret_cast<float *>((reinterpret_cast<size_t>(memory_.get()) + 63) / 64 * 64);
        size_ = floats;
    }

private:
    std::unique_ptr<char[]> memory_;
    float * base_ = nullptr;
    size_t size_ = 0, used_ = 0;
};

inline bool served_kind(int type) { return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16; }

bool attends(const Attention & a) {
    return served_kind(a.key_type) && served_kind(a.value_type) && a.key_width % 16 == 0 && a.value_width % 16 == 0 &&
           a.kv_heads > 0 && a.heads % a.kv_heads == 0;
}

inline float rounded_to(int type, float x) {
    switch (type) {
        case GGML_TYPE_F16: return rounded_as(x, static_cast<const ggml_fp16_t *>(nullptr));
        case GGML_TYPE_BF16: return rounded_as(x, static_cast<const ggml_bf16_t *>(nullptr));
        default: return x;
    }
}

// e^x for x ≤ 0, within a few units of the last place (Cephes' polynomial).
LOCALSPEC_INLINE Lanes::Float exponential(Lanes::Float x) {
    x = Lanes::larger(x, Lanes::all(-87.f));
    const Lanes::Float n = Lanes::rounded(Lanes::multiply(x, Lanes::all(1.44269504f)));
    Lanes::Float f = Lanes::fused(n, Lanes::all(-0.693359375f), x);
    f = Lanes::fused(n, Lanes::all(2.12194440e-4f), f);
    Lanes::Float p = Lanes::all(1.9875691500e-4f);
    for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
        p = Lanes::fused(p, f, Lanes::all(c));
    }
    p = Lanes::fused(p, Lanes::multiply(f, f), Lanes::add(f, Lanes::all(1.f)));
    return Lanes::multiply(p, Lanes::power_of_two(n));
}

// Keys of `width` cells, cell beside cell: to[d · width + cell]. Missing cells repeat the last one.
template <class K> void pack_keys(const Attention & a, const char * keys, const int32_t * cells, int count, float * to) {
    constexpr int W = Lanes::width;
    for (int64_t d = 0; d < a.key_width; d += W) {
        Lanes::Float x[W];
        LOCALSPEC_UNROLL
        for (int c = 0; c < W; ++c) {
            x[c] = Lanes::widen(reinterpret_cast<const K *>(keys + cells[c < count ? c : count - 1] * a.k_cell) + d);
        }
        Lanes::transpose(x);
        LOCALSPEC_UNROLL
        for (int i = 0; i < W; ++i) Lanes::store(to + (d + i) * W, x[i]);
    }
}

template <class V> void widen_values(const Attention & a, const char * values, const int32_t * cells, int count, float * to) {
    for (int c = 0; c < count; ++c) {
        const auto * v = reinterpret_cast<const V *>(values + cells[c] * a.v_cell);
        for (int64_t d = 0; d < a.value_width; d += Lanes::width) Lanes::store(to + c * a.value_width + d, Lanes::widen(v + d));
    }
}

// Scores of N queries against two registers of cells, scaled, with each row's bias.
template <int N>
LOCALSPEC_INLINE void score(const float * keys, int64_t width, const float * queries, const float * const * bias, float scale,
                            float * scores, int64_t stride) {
    constexpr int W = Lanes::width;
    Lanes::Float sum[N][2];
    LOCALSPEC_UNROLL
    for (int q = 0; q < N; ++q) sum[q][0] = sum[q][1] = Lanes::zero();
    for (int64_t d = 0; d < width; ++d) {
        const Lanes::Float k0 = Lanes::load(keys + d * W), k1 = Lanes::load(keys + (width + d) * W);
        LOCALSPEC_UNROLL
        for (int q = 0; q < N; ++q) {
            const Lanes::Float x = Lanes::all(queries[q * width + d]);
            sum[q][0] = Lanes::fused(k0, x, sum[q][0]);
            sum[q][1] = Lanes::fused(k1, x, sum[q][1]);
        }
    }
    LOCALSPEC_UNROLL
    for (int q = 0; q < N; ++q) {
        for (int i = 0; i < 2; ++i) {
            const Lanes::Float s = Lanes::add(Lanes::multiply(sum[q][i], Lanes::all(scale)), Lanes::load(bias[q] + i * W));
            Lanes::store(scores + q * stride + i * W, s);
        }
    }
}

// Adds `count` cells' values to N queries' sums, for U registers of the value's width.
template <int N, int U>
LOCALSPEC_INLINE void add_values(const float * values, int64_t width, int count, const float * weights, int64_t stride, float * out) {
    constexpr int W = Lanes::width;
    Lanes::Float sum[N][U];
    LOCALSPEC_UNROLL
    for (int q = 0; q < N; ++q) {
        LOCALSPEC_UNROLL
        for (int u = 0; u < U; ++u) sum[q][u] = Lanes::load(out + q * width + u * W);
    }
    for (int c = 0; c < count; ++c) {
        Lanes::Float v[U];
        LOCALSPEC_UNROLL
        for (int u = 0; u < U; ++u) v[u] = Lanes::load(values + c * width + u * W);
        LOCALSPEC_UNROLL
        for (int q = 0; q < N; ++q) {
            const Lanes::Float p = Lanes::all(weights[q * stride + c]);
            LOCALSPEC_UNROLL
            for (int u = 0; u < U; ++u) sum[q][u] = Lanes::fused(p, v[u], sum[q][u]);
        }
    }
    LOCALSPEC_UNROLL
    for (int q = 0; q < N; ++q) {
        LOCALSPEC_UNROLL
        for (int u = 0; u < U; ++u) Lanes::store(out + q * width + u * W, sum[q][u]);
    }
}

// Calls job<N>(first query) for all queries in groups of up to N.
template <int N, class Job> LOCALSPEC_INLINE void in_groups(int64_t count, const Job & job) {
    int64_t q = 0;
    if constexpr (N > 1) {
        for (; q + N <= count; q += N) job.template run<N>(q);
        in_groups<N - 1>(count - q, job.from(q));
    } else {
        for (; q < count; ++q) job.template run<1>(q);
    }
}

struct ScoreJob {
    const float * keys;
    int64_t width;
    const float * queries;
    const float * bias;  // of the cells, [rows, stride]
    float scale;
    float * scores;
    int64_t stride, group, first;
    template <int N> LOCALSPEC_INLINE void run(int64_t q) const {
        const float * of_row[N];
        for (int i = 0; i < N; ++i) of_row[i] = bias + (first + q + i) / group * stride;
        score<N>(keys, width, queries + q * width, of_row, scale, scores + q * stride, stride);
    }
    ScoreJob from(int64_t q) const {
        return {keys, width, queries + q * width, bias, scale, scores + q * stride, stride, group, first + q};
    }
};

struct ValueJob {
    const float * values;
    int64_t width;
    int count;
    const float * weights;
    int64_t stride;
    float * out;
    template <int N> LOCALSPEC_INLINE void run(int64_t q) const {
        constexpr int U = Lanes::value_registers, W = Lanes::width;
        int64_t d = 0;
        for (; d + U * W <= width; d += U * W) {
            add_values<N, U>(values + d, width, count, weights + q * stride, stride, out + q * width + d);
        }
        for (; d < width; d += W) add_values<N, 1>(values + d, width, count, weights + q * stride, stride, out + q * width + d);
    }
    ValueJob from(int64_t q) const { return {values, width, count, weights + q * stride, stride, out + q * width}; }
};

// Turns scores into weights e^(score − largest) and returns their sum. The sum goes by the position among the cells the
// row sees: up to `gap` that is the position in the list.
inline float soften(float * scores, const float * bias, int64_t count, int64_t gap, float * compact) {
    constexpr int W = Lanes::width;
    Lanes::Float most = Lanes::all(-INFINITY);
    for (int64_t c = 0; c < count; c += W) most = Lanes::larger(most, Lanes::load(scores + c));
    const float largest = Lanes::greatest(most);
    if (!(largest > -INFINITY)) {
        std::memset(scores, 0, count * sizeof(float));
        return 0.f;
    }
    Lanes::Float sum = Lanes::zero();
    const int64_t straight = gap / W * W;
    for (int64_t c = 0; c < count; c += W) {
        const Lanes::Float s = Lanes::load(scores + c);
        const Lanes::Float e = Lanes::where_greater(s, Lanes::all(-1e30f), exponential(Lanes::subtract(s, Lanes::all(largest))));
        Lanes::store(scores + c, e);
        if (c < straight) sum = Lanes::add(sum, e);
    }
    if (straight < count) {
        int64_t kept = 0;
        for (int64_t c = straight; c < count; ++c) {
            if (bias[c] > -INFINITY) compact[kept++] = scores[c];
        }
        while (kept % W) compact[kept++] = 0.f;
        for (int64_t c = 0; c < kept; c += W) sum = Lanes::add(sum, Lanes::load(compact + c));
    }
    return Lanes::total(sum);
}

// A row's mask at the listed cells as floats.
inline void widen_mask(const uint16_t * mask, const int32_t * cells, int64_t count, float * to) {
    for (int64_t c = 0; c < count;) {
        int64_t end = c + Lanes::width;  // as a rule cells follow one another
        if (end <= count && cells[end - 1] - cells[c] == Lanes::width - 1) {
            Lanes::storeu(to + c, Lanes::widen(reinterpret_cast<const ggml_fp16_t *>(mask + cells[c])));
        } else {
            end = std::min(end, count);
            for (int64_t i = c; i < end; ++i) to[i] = mask[cells[i]] == HIDDEN ? -INFINITY : Lanes::half(mask[cells[i]]);
        }
        c = end;
    }
}

inline int64_t seen_of(const float * bias, int64_t count) {
    int32_t seen = 0;
    for (int64_t c = 0; c < count; ++c) seen += bias[c] > -INFINITY;
    return seen;
}

// Up to where a row sees every listed cell; all of them where it sees none behind that.
inline int64_t first_gap(const float * bias, int64_t count) {
    const int64_t seen = seen_of(bias, count);
    if (seen_of(bias, seen) == seen) return count;
    int64_t gap = 0;
    while (bias[gap] > -INFINITY) ++gap;
    return gap;
}

// Fetches a part of the cells' rows.
inline void fetch(const char * base, size_t stride, size_t bytes, const int32_t * cells, int64_t from, int64_t to) {
    for (int64_t c = from; c < to; ++c) {
        const char * const row = base + cells[c] * stride;
        for (size_t i = 0; i < bytes; i += 64) Lanes::prefetch(row + i);
        Lanes::prefetch(row + bytes - 1);
    }
}

// Heads of one key head, rows first … last − 1.
void attend(const Attention & a, int64_t kv_head, int64_t first, int64_t last) {
    constexpr int W = Lanes::width;
    static thread_local Scratch scratch;
    const int64_t rows = last - first, group = a.heads / a.kv_heads, queries = rows * group;
    const int64_t room = (a.cells + 2 * W - 1) / (2 * W) * (2 * W);
    scratch.reset(queries * (room + a.key_width + a.value_width + 32) + (rows + 3) * (room + 16) + 2 * W * a.key_width +
                  VALUES * a.value_width + 256);
    float * const bias = scratch.take(rows * room);  // [rows, listed cells]
    float * const compact = scratch.take(room);
    auto * const cells = reinterpret_cast<int32_t *>(scratch.take(room));
    auto * const seen = reinterpret_cast<uint16_t *>(scratch.take(room));

    // The cells that any row sees.
    int64_t count = 0;
    const auto mask_of = [&](int64_t row) { return reinterpret_cast<const uint16_t *>(a.mask + (first + row) * a.mask_row); };
    if (a.mask) {
        std::memset(seen, 0, a.cells * sizeof(uint16_t));
        for (int64_t r = 0; r < rows; ++r) {
            const uint16_t * const mask = mask_of(r);
            for (int64_t c = 0; c < a.cells; ++c) seen[c] |= mask[c] != HIDDEN;
        }
        for (int64_t c = 0; c < a.cells; ++c) {
            cells[count] = static_cast<int32_t>(c);
            count += seen[c];
        }
    } else {
        for (; count < a.cells; ++count) cells[count] = static_cast<int32_t>(count);
    }
    const auto out_of = [&](int64_t q) {
        return reinterpret_cast<float *>(a.out + (first + q / group) * a.out_row + (kv_head * group + q % group) * a.out_head);
    };
    if (count == 0) {
        for (int64_t q = 0; q < queries; ++q) std::memset(out_of(q), 0, a.value_width * sizeof(float));
        return;
    }
    const int64_t padded_count = (count + 2 * W - 1) / (2 * W) * (2 * W);
    for (int64_t r = 0; r < rows; ++r) {
        float * const to = bias + r * room;
        if (a.mask) {
            widen_mask(mask_of(r), cells, count, to);
        } else {
            std::memset(to, 0, count * sizeof(float));
        }
        std::fill(to + count, to + padded_count, -INFINITY);
    }

    // Scores.
    float * const q_rows = scratch.take(queries * a.key_width);
    for (int64_t q = 0; q < queries; ++q) {
        const auto * x = reinterpret_cast<const float *>(a.q + (first + q / group) * a.q_row + (kv_head * group + q % group) * a.q_head);
        for (int64_t d = 0; d < a.key_width; ++d) q_rows[q * a.key_width + d] = rounded_to(a.key_type, x[d]);
    }
    float * const scores = scratch.take(queries * room);
    float * const keys = scratch.take(2 * W * a.key_width);
    const size_t key_bytes = a.key_width * ggml_type_size(static_cast<ggml_type>(a.key_type));
    const size_t value_bytes = a.value_width * ggml_type_size(static_cast<ggml_type>(a.value_type));
    const char * const all_keys = a.k + kv_head * a.k_head;
    const char * const all_values = a.v + kv_head * a.v_head;
    fetch(all_keys, a.k_cell, key_bytes, cells, 0, std::min<int64_t>(count, AHEAD));
    for (int64_t c = 0; c < count; c += 2 * W) {
        fetch(all_keys, a.k_cell, key_bytes, cells, std::min(count, c + AHEAD), std::min(count, c + AHEAD + 2 * W));
        for (int half = 0; half < 2; ++half) {
            const int64_t from = std::min(c + half * W, count - 1);
            const int left = static_cast<int>(std::min<int64_t>(W, count - from));
            float * const to = keys + half * W * a.key_width;
            switch (a.key_type) {
                case GGML_TYPE_F16: pack_keys<ggml_fp16_t>(a, all_keys, cells + from, left, to); break;
                case GGML_TYPE_BF16: pack_keys<ggml_bf16_t>(a, all_keys, cells + from, left, to); break;
                default: pack_keys<float>(a, all_keys, cells + from, left, to); break;
            }
        }
        in_groups<Lanes::queries_scored>(queries, ScoreJob{keys, a.key_width, q_rows, bias + c, a.scale, scores + c, room, group, 0});
    }
    float * const inverse = scratch.take(queries);
    for (int64_t r = 0; r < rows; ++r) {
        const float * const row_bias = bias + r * room;
        const int64_t gap = first_gap(row_bias, padded_count);
        for (int64_t g = 0; g < group; ++g) {
            const int64_t q = r * group + g;
            float * const s = scores + q * room;
            if (a.softcap != 0.f) {
                for (int64_t c = 0; c < count; ++c) {
                    if (row_bias[c] > -INFINITY) s[c] = a.softcap * std::tanh(s[c] - row_bias[c]) + row_bias[c];
                }
            }
            const float sum = soften(s, row_bias, padded_count, gap, compact);
            inverse[q] = sum == 0.f ? 0.f : 1.f / sum;
        }
    }

    // Values.
    float * const out = scratch.take(queries * a.value_width);
    float * const values = scratch.take(VALUES * a.value_width);
    std::memset(out, 0, queries * a.value_width * sizeof(float));
    fetch(all_values, a.v_cell, value_bytes, cells, 0, std::min<int64_t>(count, AHEAD));
    for (int64_t c = 0; c < count; c += VALUES) {
        const int some = static_cast<int>(std::min(VALUES, count - c));
        fetch(all_values, a.v_cell, value_bytes, cells, std::min(count, c + AHEAD), std::min(count, c + AHEAD + VALUES));
        switch (a.value_type) {
            case GGML_TYPE_F16: widen_values<ggml_fp16_t>(a, all_values, cells + c, some, values); break;
            case GGML_TYPE_BF16: widen_values<ggml_bf16_t>(a, all_values, cells + c, some, values); break;
            default: widen_values<float>(a, all_values, cells + c, some, values); break;
        }
        in_groups<Lanes::queries_valued>(queries, ValueJob{values, a.value_width, some, scores + c, room, out});
    }
    for (int64_t q = 0; q < queries; ++q) {
        float * const to = out_of(q);
        for (int64_t d = 0; d < a.value_width; d += W) {
            Lanes::storeu(to + d, Lanes::multiply(Lanes::load(out + q * a.value_width + d), Lanes::all(inverse[q])));
        }
    }
}

}  // namespace
}  // namespace localspec

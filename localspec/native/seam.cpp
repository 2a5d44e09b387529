// Where llama.cpp asks for matrix products and attention on the processor, and what it gets.
//
// hook.cmake compiles llama.cpp's own entries under another name (…_of_llama); those here take their place, serve what
// the kernels can and hand on the rest. Every thread of the pool calls them with its number.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ggml-cpu-impl.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "kernels.h"
#include "processor.h"

#if defined(_WIN32)
#define LOCALSPEC_API extern "C" __declspec(dllexport)
#else
#define LOCALSPEC_API extern "C" __attribute__((visibility("default")))
#endif

extern "C" {
bool ggml_compute_forward_mul_mat_tiled_of_llama(const ggml_compute_params * params, ggml_tensor * dst);
size_t ggml_tiled_wdata_size_of_llama(int n_tasks, ggml_tensor * dst);
void ggml_compute_forward_flash_attn_ext_of_llama(const ggml_compute_params * params, ggml_tensor * dst);

bool ggml_compute_forward_mul_mat_tiled(const ggml_compute_params * params, ggml_tensor * dst);
size_t ggml_tiled_wdata_size(int n_tasks, ggml_tensor * dst);
void ggml_compute_forward_flash_attn_ext(const ggml_compute_params * params, ggml_tensor * dst);
}

namespace localspec {
namespace {

// What this processor can run, the best first.
const Kernels * fastest(const std::string & wanted) {
    const Kernels * candidates[4] = {};
    int count = 0;
    const auto add = [&](bool can_run, const Kernels * (*kernels_of)()) {
        if (can_run) candidates[count++] = kernels_of();
    };
    const Processor & can = processor();
    (void)add;
    (void)can;
#if defined(LOCALSPEC_AVX512_BF16)
    add(can.avx512_bf16, avx512_bf16_kernels);
#endif
#if defined(LOCALSPEC_AVX512)
    add(can.avx512, avx512_kernels);
#endif
#if defined(LOCALSPEC_AVX_VNNI)
    add(can.avx_vnni, avx_vnni_kernels);
#endif
#if defined(LOCALSPEC_AVX2)
    add(can.avx2, avx2_kernels);
#endif
#if defined(LOCALSPEC_NEON_I8MM)
    add(can.i8mm, neon_i8mm_kernels);
#endif
#if defined(LOCALSPEC_NEON)
    add(can.dotprod, neon_kernels);
#endif
    for (int i = 0; i < count; ++i) {
        if (wanted.empty() || wanted == candidates[i]->name) return candidates[i];
    }
    return nullptr;
}

// LOCALSPEC_KERNELS: "off" = llama.cpp's own code; the name of an instruction set = that one where it can run.
const Kernels * kernels() {
    static const Kernels * const chosen = [] {
        const char * asked = std::getenv("LOCALSPEC_KERNELS");
        const std::string wanted = asked ? asked : "";
        return wanted == "off" ? nullptr : fastest(wanted == "on" ? "" : wanted);
    }();
    return chosen;
}

void fetch(const char * p) {
#if defined(_MSC_VER) && !defined(__clang__)
    _mm_prefetch(p, _MM_HINT_T1);
#else
    __builtin_prefetch(p, 0, 2);
#endif
}

constexpr int64_t FIRST_BYTES = 1 << 13;  // of weights, that are fetched before a product begins
constexpr int64_t PART_BYTES = 1 << 18;  // of weights, that a thread takes at least

struct Batch {
    Product product;
    int64_t outer2, outer3;  // matrices of activations
};

// What a MUL_MAT node asks for; false where it is not served. Same answer on every thread.
bool read_product(const ggml_tensor * dst, Batch & batch) {
    const Kernels * const k = kernels();
    const ggml_tensor * w = dst->src[0];
    const ggml_tensor * x = dst->src[1];
    if (!k || dst->op != GGML_OP_MUL_MAT || x->type != GGML_TYPE_F32 || dst->type != GGML_TYPE_F32) return false;
    if (!k->serves(w->type, w->ne[0])) return false;
    if (w->nb[0] != ggml_type_size(w->type) || x->nb[0] != sizeof(float) || dst->nb[0] != sizeof(float)) return false;
    if (w->ne[1] == 0 || ggml_nelements(x) == 0) return false;
    Product & p = batch.product;
    p.type = w->type;
    p.m = w->ne[1];
    p.n = x->ne[1];
    p.k = w->ne[0];
    p.weight_stride = w->nb[1];
    p.row_stride = x->nb[1];
    p.out_stride = dst->nb[1];
    batch.outer2 = x->ne[2];
    batch.outer3 = x->ne[3];
    return true;
}

void place(const ggml_tensor * dst, int64_t i2, int64_t i3, Product & p) {
    const ggml_tensor * w = dst->src[0];
    const ggml_tensor * x = dst->src[1];
    const int64_t r2 = x->ne[2] / w->ne[2], r3 = x->ne[3] / w->ne[3];
    p.weights = static_cast<const char *>(w->data) + i2 / r2 * w->nb[2] + i3 / r3 * w->nb[3];
    p.rows = static_cast<const char *>(x->data) + i2 * x->nb[2] + i3 * x->nb[3];
    p.out = static_cast<char *>(dst->data) + i2 * dst->nb[2] + i3 * dst->nb[3];
}

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t matrix_size(const Batch & batch) {
    return aligned(kernels()->packed_size(batch.product.type, batch.product.n, batch.product.k));
}

bool multiply(const ggml_compute_params * params, ggml_tensor * dst) {
    Batch batch;
    if (params->use_ref || !read_product(dst, batch)) return false;
    const Kernels & k = *kernels();
    const int64_t matrices = batch.outer2 * batch.outer3;
    const size_t size = matrix_size(batch);
    char * const packed = reinterpret_cast<char *>(aligned(reinterpret_cast<size_t>(params->wdata)));
    if (packed + matrices * size > static_cast<char *>(params->wdata) + params->wsize) return false;

    Product & p = batch.product;
    // Parts of weight rows: enough of them for threads of unequal speed, few enough to read memory in long runs.
    const int64_t panel = k.panel(p.type), panels = (p.m + panel - 1) / panel;
    const int64_t worth = p.m * static_cast<int64_t>(p.weight_stride) / PART_BYTES;
    const int64_t parts = std::min<int64_t>(panels, params->nth == 1 ? 1 : std::clamp<int64_t>(worth, params->nth, 8 * params->nth));
    const auto first_of = [&](int64_t part) { return std::min(p.m, panels * part / parts * panel); };
    if (params->ith < parts) {  // the weights this thread begins with arrive while activations are packed
        const char * const begin = static_cast<const char *>(dst->src[0]->data) + first_of(params->ith) * p.weight_stride;
        const int64_t bytes = (first_of(params->ith + 1) - first_of(params->ith)) * static_cast<int64_t>(p.weight_stride);
        for (int64_t i = 0; i < std::min(bytes, FIRST_BYTES); i += 64) fetch(begin + i);
    }
    for (int64_t i = 0; i < matrices; ++i) {
        place(dst, i % batch.outer2, i / batch.outer2, p);
        k.pack(p, packed + i * size, params->ith, params->nth);
    }
    if (params->ith == 0) ggml_threadpool_chunk_set(params->threadpool, params->nth);
    ggml_barrier(params->threadpool);
    for (int64_t job = params->ith; job < parts * matrices; job = ggml_threadpool_chunk_add(params->threadpool, 1)) {
        const int64_t part = job % parts, i = job / parts;
        place(dst, i % batch.outer2, i / batch.outer2, p);
        k.multiply(p, packed + i * size, first_of(part), first_of(part + 1));
    }
    return true;
}

// ---- attention ----

// What a FLASH_ATTN_EXT node asks for; false where it is not served. Same answer on every thread.
bool read_attention(const ggml_tensor * dst, Attention & a) {
    const Kernels * const kern = kernels();
    const ggml_tensor *q = dst->src[0], *k = dst->src[1], *v = dst->src[2], *mask = dst->src[3];
    float max_bias;
    std::memcpy(&a.scale, dst->op_params, sizeof(float));
    std::memcpy(&max_bias, dst->op_params + 1, sizeof(float));
    std::memcpy(&a.softcap, dst->op_params + 2, sizeof(float));
    if (!kern || dst->src[4] || max_bias != 0.f || q->type != GGML_TYPE_F32 || dst->type != GGML_TYPE_F32) return false;
    if (k->ne[2] != v->ne[2] || (mask && (mask->type != GGML_TYPE_F16 || mask->ne[2] != 1 || mask->nb[0] != 2))) return false;
    if (q->nb[0] != sizeof(float) || k->nb[0] != ggml_type_size(k->type) || v->nb[0] != ggml_type_size(v->type)) return false;
    if (a.softcap != 0.f) a.scale /= a.softcap;
    a.rows = q->ne[1];
    a.cells = k->ne[1];
    a.heads = q->ne[2];
    a.kv_heads = k->ne[2];
    a.key_width = k->ne[0];
    a.value_width = v->ne[0];
    a.key_type = k->type;
    a.value_type = v->type;
    a.q_row = q->nb[1];
    a.q_head = q->nb[2];
    a.k_cell = k->nb[1];
    a.k_head = k->nb[2];
    a.v_cell = v->nb[1];
    a.v_head = v->nb[2];
    a.mask_row = mask ? mask->nb[1] : 0;
    a.out_head = dst->nb[1];
    a.out_row = dst->nb[2];
    return a.rows > 0 && kern->attends(a);
}

bool attend(const ggml_compute_params * params, ggml_tensor * dst) {
    Attention a;
    if (params->use_ref || !read_attention(dst, a)) return false;
    const ggml_tensor *q = dst->src[0], *k = dst->src[1], *v = dst->src[2], *mask = dst->src[3];
    const int64_t streams = q->ne[3], group = a.heads / a.kv_heads;
    // Rows that are computed together: many share the work on keys, few make even parts for the threads.
    int64_t tile = std::max<int64_t>(1, 64 / group);
    while (tile > 1 && tile * group * a.cells > (1 << 19)) tile = (tile + 1) / 2;
    tile = std::min(tile, a.rows);
    const auto tiles = [&] { return (a.rows + tile - 1) / tile; };
    while (tile * group > 8 && tile > 1 && streams * a.kv_heads * tiles() < 3 * params->nth) tile = (tile + 1) / 2;
    const int64_t each = tiles() * a.kv_heads, jobs = streams * each;
    const bool dynamic = jobs > 4 * params->nth;
    if (dynamic) {
        if (params->ith == 0) ggml_threadpool_chunk_set(params->threadpool, params->nth);
        ggml_barrier(params->threadpool);
    }
    for (int64_t job = params->ith; job < jobs; job = dynamic ? ggml_threadpool_chunk_add(params->threadpool, 1) : job + params->nth) {
        const int64_t stream = job / each, first = job % each / a.kv_heads * tile;
        a.q = static_cast<const char *>(q->data) + stream * q->nb[3];
        a.k = static_cast<const char *>(k->data) + stream * k->ne[3] / streams * k->nb[3];
        a.v = static_cast<const char *>(v->data) + stream * v->ne[3] / streams * v->nb[3];
        a.mask = mask ? static_cast<const char *>(mask->data) + stream % mask->ne[3] * mask->nb[3] : nullptr;
        a.out = static_cast<char *>(dst->data) + stream * dst->nb[3];
        kernels()->attend(a, job % a.kv_heads, first, std::min(a.rows, first + tile));
    }
    return true;
}

}  // namespace
}  // namespace localspec

size_t ggml_tiled_wdata_size(int n_tasks, ggml_tensor * dst) {
    const size_t theirs = ggml_tiled_wdata_size_of_llama(n_tasks, dst);
    localspec::Batch batch;
    if (!localspec::read_product(dst, batch)) return theirs;
    return std::max(theirs, 64 + batch.outer2 * batch.outer3 * localspec::matrix_size(batch));
}

bool ggml_compute_forward_mul_mat_tiled(const ggml_compute_params * params, ggml_tensor * dst) {
    return localspec::multiply(params, dst) || ggml_compute_forward_mul_mat_tiled_of_llama(params, dst);
}

void ggml_compute_forward_flash_attn_ext(const ggml_compute_params * params, ggml_tensor * dst) {
    if (!localspec::attend(params, dst)) ggml_compute_forward_flash_attn_ext_of_llama(params, dst);
}

// ---- for Python ----

LOCALSPEC_API const char * localspec_kernels_describe();
LOCALSPEC_API bool localspec_kernels_serve(int type);

// "avx512-vnni: q4_0 q4_1 …; attention", or why llama.cpp's own code serves. Valid for ever.
LOCALSPEC_API const char * localspec_kernels_describe() {
    static const std::string text = [] {
        const localspec::Kernels * k = localspec::kernels();
        const char * asked = std::getenv("LOCALSPEC_KERNELS");
        if (!k) return std::string(asked && std::strcmp(asked, "off") == 0 ? "off" : "none for this processor");
        std::string line = std::string(k->name) + ":";
        for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
            if (k->serves(type, 256)) line += std::string(" ") + ggml_type_name(static_cast<ggml_type>(type));
        }
        return line + "; attention";
    }();
    return text.c_str();
}

// Whether products with weights of this ggml type are ours, for rows of any length the type allows.
LOCALSPEC_API bool localspec_kernels_serve(int type) {
    const localspec::Kernels * k = localspec::kernels();
    return k && k->serves(type, 256);
}

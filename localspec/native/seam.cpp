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
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vnni");
    (void)avx512;
    (void)avx2;
#if defined(LOCALSPEC_AVX512_BF16)
    if (avx512 && __builtin_cpu_supports("avx512bf16")) candidates[count++] = avx512_bf16_kernels();
#endif
#if defined(LOCALSPEC_AVX512)
    if (avx512) candidates[count++] = avx512_kernels();
#endif
#if defined(LOCALSPEC_AVX2)
    if (avx2) candidates[count++] = avx2_kernels();
#endif
#endif
#if defined(LOCALSPEC_NEON)
    if (ggml_cpu_has_dotprod_now()) candidates[count++] = neon_kernels();
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
    for (int64_t i = 0; i < matrices; ++i) {
        place(dst, i % batch.outer2, i / batch.outer2, p);
        k.pack(p, packed + i * size, params->ith, params->nth);
    }
    // Parts of weight rows: enough of them for threads of unequal speed, few enough to read memory in long runs.
    const int64_t panel = k.panel(p.type), panels = (p.m + panel - 1) / panel;
    const int64_t parts = std::min<int64_t>(panels, params->nth == 1 ? 1 : 8 * params->nth);
    if (params->ith == 0) ggml_threadpool_chunk_set(params->threadpool, params->nth);
    ggml_barrier(params->threadpool);
    for (int64_t job = params->ith; job < parts * matrices; job = ggml_threadpool_chunk_add(params->threadpool, 1)) {
        const int64_t part = job % parts, i = job / parts;
        place(dst, i % batch.outer2, i / batch.outer2, p);
        const int64_t first = panels * part / parts * panel, last = std::min(p.m, panels * (part + 1) / parts * panel);
        k.multiply(p, packed + i * size, first, last);
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
    ggml_compute_forward_flash_attn_ext_of_llama(params, dst);
}

// ---- for Python ----

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
        return line;
    }();
    return text.c_str();
}

// Whether products with weights of this ggml type are ours, for rows of any length the type allows.
LOCALSPEC_API bool localspec_kernels_serve(int type) {
    const localspec::Kernels * k = localspec::kernels();
    return k && k->serves(type, 256);
}

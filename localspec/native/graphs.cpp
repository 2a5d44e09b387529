// A compute graph for each number of rows, so that batches of changing sizes need not build theirs anew.
//
// A llama_context keeps one graph and uses it again while batches have the same shape; after any other it builds,
// splits and allocates a new one. On a processor that takes about as long as a few rows, on a CUDA device two decodes
// are slow: one builds the graph, the next captures it. Here each number of rows has a graph, a scheduler and a compute
// buffer of its own. Before a decode the ones of its size take the place of the context's, which then finds the graph
// that it left there. Whether it fits is still llama.cpp's own decision (llm_graph_result::can_reuse).
//
// Compiled into libllama by hook.cmake, against the pinned version's llama-context.h. Explicit instantiations may name
// private members ([temp.spec.general]), so nothing is patched.

#include "llama-context.h"
#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

#if defined(_WIN32)
#    define LOCALSPEC_API extern "C" __declspec(dllexport)
#else
#    define LOCALSPEC_API extern "C" __attribute__((visibility("default")))
#endif

namespace {

template <typename Tag, auto Member> struct Access {
    friend auto & of(typename Tag::type & object, Tag) { return object.*Member; }
};

#define LOCALSPEC_MEMBER(class, name)                                                                                  \
    struct name##_tag {                                                                                                \
        using type = class;                                                                                            \
    };                                                                                                                 \
    auto & of(class & object, name##_tag);                                                                             \
    template struct Access<name##_tag, &class ::name>;

LOCALSPEC_MEMBER(llama_context, sched)
LOCALSPEC_MEMBER(llama_context, sched_need_reserve)
LOCALSPEC_MEMBER(llama_context, gf_res_prev)
LOCALSPEC_MEMBER(llama_context, gf_res_prev_active)
LOCALSPEC_MEMBER(llama_context, backend_ptrs)
LOCALSPEC_MEMBER(llama_context, backend_buft)
LOCALSPEC_MEMBER(llama_kv_cache, n_pad)

// Larger batches are rare, and their graphs would need the most memory.
constexpr int max_rows = 32;
// Of these many sizes the graphs are kept; the one that was not used for longest goes.
constexpr size_t max_sizes = 12;
// Nodes that the graphs kept for a context may have together: about a gigabyte of address space.
constexpr size_t max_nodes = 48 * 1024;

struct Graph {
    int rows = 0; // 0: the context's own, which serves every other size
    ggml_backend_sched_ptr sched;
    std::array<llm_graph_result_ptr, 2> results;
    llm_graph_result * active = nullptr;

    // Of the graph whose things are in the context, those of the context's last one are here: nothing.
    void exchange(llama_context & context) {
        std::swap(of(context, sched_tag{}), sched);
        std::swap(of(context, gf_res_prev_tag{}), results);
        std::swap(of(context, gf_res_prev_active_tag{}), active);
    }
};

struct Graphs {
    std::vector<std::unique_ptr<Graph>> kept; // the least recently used first
    Graph own;                                // holds what belongs to the context while another graph serves
    Graph * serving = nullptr;                // null: the context's own

    void serve_own(llama_context & context) {
        if (serving) {
            serving->exchange(context);
            own.exchange(context);
            serving = nullptr;
        }
    }

    // Throws std::bad_alloc, then the context's own serves.
    void serve(llama_context & context, int rows) {
        if (!of(context, sched_tag{})) {
            return; // nothing was decoded yet
        }
        const bool stale = of(context, sched_need_reserve_tag{});
        if (!stale && (serving ? serving->rows : 0) == rows) {
            return;
        }
        context.synchronize();
        serve_own(context);
        if (stale) {
            // The next decode reserves anew for what was set meanwhile: none of these graphs is of use any more.
            kept.clear();
            return;
        }
        if (rows == 0) {
            return;
        }
        auto found = kept.begin();
        while (found != kept.end() && (*found)->rows != rows) {
            ++found;
        }
        if (found != kept.end()) {
            std::rotate(found, found + 1, kept.end());
        } else {
            add(context, rows);
        }
        own.exchange(context);
        kept.back()->exchange(context);
        serving = kept.back().get();
    }

    void add(llama_context & context, int rows) {
        // A scheduler reserves 60 tensors for each node that a graph may have: address space, hardly memory.
        const size_t nodes = size_t(context.get_gf_res_reserve()->get_max_nodes());
        const size_t most = std::max<size_t>(2, std::min<size_t>(max_sizes, max_nodes / nodes));
        while (kept.size() >= most) {
            kept.erase(kept.begin());
        }
        auto graph = std::make_unique<Graph>();
        auto & backends = of(context, backend_ptrs_tag{});
        graph->rows = rows;
        graph->sched.reset(ggml_backend_sched_new(backends.data(), of(context, backend_buft_tag{}).data(),
            int(backends.size()), nodes, false, context.get_cparams().op_offload));
        kept.push_back(std::move(graph));
    }
};

// Never destroyed: at the end of a process the drivers that free a graph's buffers may be gone before this is.
auto & mutex = *new std::mutex;
auto & all = *new std::unordered_map<llama_context *, Graphs>;

Graphs & graphs_of(llama_context * context) {
    std::lock_guard<std::mutex> lock(mutex);
    return all[context];
}

// A const member is replaced as [basic.life] allows for subobjects.
void pad(llama_kv_cache * cache, unsigned positions) {
    if (cache) {
        ::new (const_cast<uint32_t *>(&of(*cache, n_pad_tag{}))) uint32_t(positions);
    }
}

} // namespace

LOCALSPEC_API void localspec_graphs_select(llama_context * context, int rows);
LOCALSPEC_API void localspec_graphs_free(llama_context * context);
LOCALSPEC_API void localspec_graphs_pad(llama_context * context, unsigned positions);

// The next batch decoded in `context` has so many rows. Not while it decodes.
LOCALSPEC_API void localspec_graphs_select(llama_context * context, int rows) {
    try {
        graphs_of(context).serve(*context, rows >= 1 && rows <= max_rows ? rows : 0);
    } catch (const std::bad_alloc &) {
        // The context's own graph serves any size.
    }
}

// Before llama_free: the graphs use its backends.
LOCALSPEC_API void localspec_graphs_free(llama_context * context) {
    std::unique_lock<std::mutex> lock(mutex);
    auto found = all.find(context);
    if (found == all.end()) {
        return;
    }
    Graphs graphs = std::move(found->second);
    all.erase(found);
    lock.unlock();
    context->synchronize();
    graphs.serve_own(*context);
}

// Graphs attend to the cache's used cells, rounded up to so many (a power of two; llama.cpp: 256): they are built anew
// when that number changes.
LOCALSPEC_API void localspec_graphs_pad(llama_context * context, unsigned positions) {
    llama_memory_i * memory = context->get_memory();
    if (auto * both = dynamic_cast<llama_kv_cache_iswa *>(memory)) {
        pad(both->get_base(), positions);
        pad(both->get_swa(), positions);
    } else {
        pad(dynamic_cast<llama_kv_cache *>(memory), positions);
    }
}

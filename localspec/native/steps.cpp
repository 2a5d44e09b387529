// What runs for every node of a draft tree between two decodes: finding earlier places of the context, growing the tree,
// cutting it to what pays, laying it out for llama.cpp, and learning from what was accepted.
//
// The same as the Python of localspec/speculation, which is the reference: tests hold both against each other. Between
// two decodes the caches are cold, and there every line of Python costs several times what it does in a loop.
// Plain C++17 without dependencies, a library of its own beside llama.cpp's. Not thread-safe, as its callers aren't.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#ifdef _WIN32
#define API extern "C" __declspec(dllexport)
#else
#define API extern "C" __attribute__((visibility("default")))
#endif

namespace {

// Bits of `DraftTree.source` and columns of `DraftTree.evidence` (speculation/tree.py).
enum { PROMPT = 1, REST = 2, DRESD = 4, DRAFT = 8, RECYCLED = 16, NGRAM = PROMPT | REST };
enum { MATCH_LENGTH, VOTE_SHARE, SIMILARITY, SIBLING_RANK, DRAFT_PROBABILITY, RECYCLED_PROBABILITY, EVIDENCE };
constexpr float REJECTED = -1.0f;
constexpr int32_t NOT_EXPANDED = -2;
constexpr double MIN_RECYCLED = 0.01;

// ---- values shared with Python (native/steps.py) ---------------------------------------------------------------------

// A tree of n nodes is one block of memory: its arrays one after the other, the widest type first.
struct Tree {
    int32_t n;
    double * path;        // [n] product of `probability` from the root
    int32_t * tokens;     // [n]
    int32_t * parents;    // [n]
    float * evidence;     // [n, 6]
    float * probability;  // [n] P(accepted | parent accepted)
    uint8_t * source;     // [n]

    Tree(void * block, int32_t nodes) : n(nodes) { lay(block, nodes); }

    static size_t bytes(int32_t nodes) { return static_cast<size_t>(nodes) * 45; }

    // Where the arrays lie with room for so many nodes.
    void lay(void * block, int32_t nodes) {
        auto * at = static_cast<char *>(block);
        const auto next = [&](size_t each) { return std::exchange(at, at + each * static_cast<size_t>(nodes)); };
        path = reinterpret_cast<double *>(next(sizeof(double)));
        tokens = reinterpret_cast<int32_t *>(next(sizeof(int32_t)));
        parents = reinterpret_cast<int32_t *>(next(sizeof(int32_t)));
        evidence = reinterpret_cast<float *>(next(6 * sizeof(float)));
        probability = reinterpret_cast<float *>(next(sizeof(float)));
        source = reinterpret_cast<uint8_t *>(next(1));
    }

    // The same tree in a block without room to spare.
    void pack(void * block) const {
        const Tree to(block, n);
        const auto count = static_cast<size_t>(n);
        std::copy_n(path, count, to.path);
        std::copy_n(tokens, count, to.tokens);
        std::copy_n(parents, count, to.parents);
        std::copy_n(evidence, 6 * count, to.evidence);
        std::copy_n(probability, count, to.probability);
        std::copy_n(source, count, to.source);
    }
};

// An empty tree with room for so many nodes.
Tree room_for(int32_t nodes) {
    static thread_local std::vector<double> room;
    room.resize(Tree::bytes(nodes) / sizeof(double) + 1);
    Tree tree(room.data(), nodes);
    tree.n = 0;
    return tree;
}

struct Matches {  // of one source
    const int32_t * text;
    const int64_t * places;
    const int64_t * ends;
    const int32_t * lengths;
    const double * similarity;
    const double * votes;
    int32_t count;
    int32_t source;
};

// ---- the chat so far ---------------------------------------------------------------------------------------------------

constexpr int32_t MIN_N = 2, MAX_MATCHES = 16, MAX_COMPARED = 64;

struct Found {
    int32_t length;
    int32_t place;
};

class Index {
  public:
    Index(const double * votes, int32_t max_n) : votes_(votes, votes + max_n + 1), max_n_(max_n) { before_.push_back(-1); }

    void follow(const int32_t * tokens, int64_t count) {
        for (int64_t i = 0; i < count; i++) {
            const int32_t before = tokens_.empty() ? -1 : tokens_.back();
            tokens_.push_back(tokens[i]);
            const auto place = static_cast<int32_t>(tokens_.size());
            auto [entry, is_new] = last_.try_emplace(pair(before, tokens[i]), place);
            before_.push_back(is_new ? -1 : entry->second);
            entry->second = place;
        }
    }

    // Earlier occurrences of the last tokens of the text followed by `drafted`, longest first, of equals the latest.
    int32_t find(const int32_t * drafted, int32_t count, Found * found) const {
        const auto length = static_cast<int32_t>(tokens_.size());
        const int32_t reach = std::min(max_n_, std::min(length, max_n_) + count);
        if (reach < MIN_N) return 0;
        const auto tail = [&](int32_t back) {  // 1 = the last
            return back <= count ? drafted[count - back] : tokens_[length - (back - count)];
        };
        const auto entry = last_.find(pair(tail(2), tail(1)));
        if (entry == last_.end()) return 0;
        found_.clear();
        int32_t compared = 0;
        for (int32_t place = entry->second; place >= 0 && compared <= MAX_COMPARED; place = before_[place], compared++) {
            if (place >= length) continue;  // the end of the text itself
            int32_t same = MIN_N;
            const int32_t most = std::min(reach, place);
            while (same < most && tokens_[place - same - 1] == tail(same + 1)) same++;
            found_.push_back({same, place});
        }
        const auto better = [](const Found & a, const Found & b) {
            return a.length != b.length ? a.length > b.length : a.place > b.place;
        };
        const size_t kept = std::min<size_t>(found_.size(), MAX_MATCHES);
        std::partial_sort(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(kept), found_.end(), better);
        std::copy_n(found_.begin(), kept, found);
        return static_cast<int32_t>(kept);
    }

    const int32_t * text() const { return tokens_.data(); }
    int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
    double votes(int32_t length) const { return votes_[length]; }

  private:
    static uint64_t pair(int32_t first, int32_t second) {
        return static_cast<uint64_t>(static_cast<uint32_t>(first)) << 32 | static_cast<uint32_t>(second);
    }

    std::vector<double> votes_;
    int32_t max_n_;
    std::vector<int32_t> tokens_;
    std::vector<int32_t> before_;                 // by place: the earlier place of the same pair, or -1
    std::unordered_map<uint64_t, int32_t> last_;  // the latest place behind each pair
    mutable std::vector<Found> found_;
};

// ---- rows of logits ----------------------------------------------------------------------------------------------------

constexpr int32_t LANES = 16;

float highest_of(const float * logits, int32_t count) {
    float best[LANES];
    std::fill(best, best + LANES, -std::numeric_limits<float>::infinity());
    int32_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int32_t l = 0; l < LANES; l++) best[l] = logits[i + l] > best[l] ? logits[i + l] : best[l];
    float highest = *std::max_element(best, best + LANES);
    for (; i < count; i++) highest = std::max(highest, logits[i]);
    return highest;
}

// Calls take(i) for every logit above `bound`, in order.
template <class Take> void above(const float * logits, int32_t count, float bound, Take take) {
    int32_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        int32_t any = 0;
        for (int32_t l = 0; l < LANES; l++) any |= logits[i + l] > bound;
        if (any)
            for (int32_t l = 0; l < LANES; l++)
                if (logits[i + l] > bound) take(i + l);
    }
    for (; i < count; i++)
        if (logits[i] > bound) take(i);
}

constexpr float NEAR_LOGITS = 7.0f;
constexpr int32_t TOP_K = 8;

struct Likely {
    int32_t count = 0;
    int32_t tokens[TOP_K];
    double probabilities[TOP_K];
};

void likeliest(const float * logits, int32_t vocabulary, int32_t wanted, Likely & result) {
    static thread_local std::vector<int32_t> near;
    near.clear();
    const float highest = highest_of(logits, vocabulary);
    above(logits, vocabulary, highest - NEAR_LOGITS, [&](int32_t i) { near.push_back(i); });
    double sum = 0.0;
    for (const int32_t i : near) sum += std::exp(static_cast<double>(logits[i] - highest));
    const size_t kept = std::min<size_t>(near.size(), static_cast<size_t>(std::min(wanted, TOP_K)));
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(kept), near.end(),
                      [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
    result.count = static_cast<int32_t>(kept);
    for (size_t i = 0; i < kept; i++) {
        result.tokens[i] = near[i];
        result.probabilities[i] = std::exp(static_cast<double>(logits[near[i]] - highest)) / sum;
    }
}

using Recycled = std::unordered_map<int32_t, Likely>;

// ---- acceptance (speculation/acceptance.py) ----------------------------------------------------------------------------

enum Feature {
    W_NGRAM, W_LENGTH, W_SHARE, W_NGRAM_RESIDUAL,
    W_DENSE, W_SIMILARITY, W_DENSE_SHARE, W_DENSE_RESIDUAL,
    W_DRAFT, W_DRAFTED, W_DRAFT_RESIDUAL,
    W_RECYCLED, W_AGAIN, W_RECYCLED_RESIDUAL,
    W_NGRAM_DRAFT, W_LENGTH_DRAFT, W_DRAFTED_NGRAM,
    W_NGRAM_DENSE, W_NGRAM_RECYCLED, W_DENSE_DRAFT, W_DRAFT_RECYCLED,
    W_REST_ALONE, W_BOTH, W_REJECTED_NGRAM, W_REJECTED_DENSE, W_REJECTED_RECYCLED,
    W_DEPTH, W_DEPTH_DRAFT, FEATURES
};
constexpr int32_t KINDS[] = {NGRAM, DRESD, DRAFT, RECYCLED};
constexpr int32_t KIND_COUNT = 4;
constexpr double MIN_CHANCE = 0.002, MAX_CHANCE = 0.995;
constexpr double MAX_LENGTH = 32.0, RESIDUAL_FADING = 0.15, LARGEST_STEP = 0.3, FORGETTING = 0.9995;

struct Evidence {
    int32_t source;
    double length, share, similarity, drafted, recycled;
    bool rejected;
    int32_t depth;
};

double bounded(double value, double low, double high) { return std::min(std::max(value, low), high); }

double log_odds(double probability) {
    const double p = bounded(probability, MIN_CHANCE, MAX_CHANCE);
    return std::log(p / (1.0 - p));
}

double chance(const Evidence & e, const double * w, const double * residual) {
    const bool ngram = e.source & NGRAM, dense = e.source & DRESD, draft = e.source & DRAFT, recycled = e.source & RECYCLED;
    const double steps = std::log2(static_cast<double>(e.depth));
    double odds = w[W_DEPTH] * steps;
    const double share = e.share < 1.0 ? std::log(std::max(e.share, 0.01)) : 0.0;
    double matched = 0.0;
    if (ngram) {
        matched = std::log2(bounded(e.length, 1.0, MAX_LENGTH));
        odds += (w[W_NGRAM] + w[W_NGRAM_RESIDUAL] * residual[0]) + w[W_LENGTH] * matched + w[W_SHARE] * share;
        if (e.source & REST) odds += e.source & PROMPT ? w[W_BOTH] : w[W_REST_ALONE];
        if (e.rejected) odds += w[W_REJECTED_NGRAM];
    }
    if (dense) {
        odds += (w[W_DENSE] + w[W_DENSE_RESIDUAL] * residual[1]) + w[W_SIMILARITY] * (e.similarity * 10.0 - 7.0) +
                w[W_DENSE_SHARE] * share;
        if (ngram) odds += w[W_NGRAM_DENSE];
        if (e.rejected) odds += w[W_REJECTED_DENSE];
    }
    if (draft) {
        const double drafted = log_odds(e.drafted);
        odds += (w[W_DRAFT] + w[W_DRAFT_RESIDUAL] * residual[2]) + w[W_DRAFTED] * drafted + w[W_DEPTH_DRAFT] * steps;
        if (ngram) odds += w[W_NGRAM_DRAFT] + w[W_LENGTH_DRAFT] * matched + w[W_DRAFTED_NGRAM] * drafted;
        if (dense) odds += w[W_DENSE_DRAFT];
    }
    if (recycled) {
        odds += (w[W_RECYCLED] + w[W_RECYCLED_RESIDUAL] * residual[3]) + w[W_AGAIN] * log_odds(e.recycled);
        if (ngram) odds += w[W_NGRAM_RECYCLED];
        if (draft) odds += w[W_DRAFT_RECYCLED];
        if (e.rejected) odds += w[W_REJECTED_RECYCLED];
    }
    return bounded(1.0 / (1.0 + std::exp(-bounded(odds, -30.0, 30.0))), MIN_CHANCE, MAX_CHANCE);
}

struct Term {
    int32_t feature;
    double value;
};

// The features of a node that are not 0, in the reference's order.
int32_t features(const Evidence & e, const double * residual, Term * found) {
    const bool ngram = e.source & NGRAM, dense = e.source & DRESD, draft = e.source & DRAFT, recycled = e.source & RECYCLED;
    const double steps = std::log2(static_cast<double>(e.depth));
    const double matched = std::log2(bounded(e.length, 1.0, MAX_LENGTH));
    const double voted = std::log(bounded(e.share, 0.01, 1.0));
    int32_t count = 0;
    const auto add = [&](int32_t feature, double value) { found[count++] = {feature, value}; };
    add(W_DEPTH, steps);
    if (ngram) {
        add(W_NGRAM, 1.0), add(W_LENGTH, matched), add(W_SHARE, voted), add(W_NGRAM_RESIDUAL, residual[0]);
        if (e.source & REST) add(e.source & PROMPT ? W_BOTH : W_REST_ALONE, 1.0);
    }
    if (dense) {
        add(W_DENSE, 1.0), add(W_SIMILARITY, e.similarity * 10.0 - 7.0), add(W_DENSE_SHARE, voted);
        add(W_DENSE_RESIDUAL, residual[1]);
        if (ngram) add(W_NGRAM_DENSE, 1.0);
    }
    if (draft) {
        const double drafted = log_odds(e.drafted);
        add(W_DRAFT, 1.0), add(W_DRAFTED, drafted), add(W_DRAFT_RESIDUAL, residual[2]), add(W_DEPTH_DRAFT, steps);
        if (ngram) add(W_NGRAM_DRAFT, 1.0), add(W_LENGTH_DRAFT, matched), add(W_DRAFTED_NGRAM, drafted);
        if (dense) add(W_DENSE_DRAFT, 1.0);
    }
    if (recycled) {
        add(W_RECYCLED, 1.0), add(W_AGAIN, log_odds(e.recycled)), add(W_RECYCLED_RESIDUAL, residual[3]);
        if (ngram) add(W_NGRAM_RECYCLED, 1.0);
        if (draft) add(W_DRAFT_RECYCLED, 1.0);
    }
    if (e.rejected) {
        if (ngram) add(W_REJECTED_NGRAM, 1.0);
        if (dense) add(W_REJECTED_DENSE, 1.0);
        if (recycled) add(W_REJECTED_RECYCLED, 1.0);
    }
    return count;
}

// What is known of every node of a finished tree.
void evidence_of(const Tree & tree, std::vector<Evidence> & known) {
    static thread_local std::vector<char> expanded;  // the draft model proposed something below it; place 0 = the root
    expanded.assign(static_cast<size_t>(tree.n) + 1, 0);
    for (int32_t i = 0; i < tree.n; i++)
        if (tree.source[i] & DRAFT) expanded[tree.parents[i] + 1] = 1;
    known.resize(tree.n);
    for (int32_t i = 0; i < tree.n; i++) {
        const float * row = tree.evidence + i * EVIDENCE;
        const int32_t parent = tree.parents[i];
        const bool rejected = !(tree.source[i] & DRAFT) && (row[DRAFT_PROBABILITY] == REJECTED || expanded[parent + 1]);
        known[i] = {tree.source[i], row[MATCH_LENGTH], row[VOTE_SHARE], row[SIMILARITY], row[DRAFT_PROBABILITY],
                    row[RECYCLED_PROBABILITY], rejected, parent >= 0 ? known[parent].depth + 1 : 1};
    }
}

// ---- growing (speculation/builder.py) ----------------------------------------------------------------------------------

struct Inputs {
    int32_t root;
    int32_t group_count;
    const Matches * groups;
    const Index * index;        // or null
    const Recycled * recycled;  // or null
    const int32_t * draft_tokens;
    const int32_t * draft_parents;
    const float * draft_probabilities;
    int32_t drafted;
    int32_t limit;
    int32_t max_depth;
    int32_t unused;
    const double * weights;  // null: shares of the votes decide
    const double * residual;
    double min_probability;
    double decay;
};

struct Match {
    const int32_t * text;
    int64_t place, end;
    int32_t length, source;
    double similarity, votes;
};

struct Child {
    int32_t token, parent = -1, depth = 0, source = 0, match_length = 0, draft_node = NOT_EXPANDED;
    int32_t first = -1, last = -1;  // its matches, in `links_`
    double ngram_votes = 0.0, dense_votes = 0.0, similarity = 0.0, drafted = 0.0, recycled = 0.0, share = 0.0;
    bool rejected = false;
    double probability = 0.0;
};

class Builder {
  public:
    void build(const Inputs & inputs, Tree & tree) {
        in_ = &inputs;
        tree_ = &tree;
        tree.n = 0;
        matches_.clear(), links_.clear(), children_.clear(), heap_.clear(), ranks_.assign(1, 0);
        discovered_ = 0;
        children_of_draft();
        int32_t first = -1, last = -1;
        if (inputs.index) look_up(0, first, last);
        for (int32_t g = 0; g < inputs.group_count; g++) {
            const Matches & group = inputs.groups[g];
            for (int32_t i = 0; i < group.count; i++)
                link({group.text, group.places[i], group.ends[i], group.lengths[i], group.source, group.similarity[i],
                      group.votes[i]}, first, last);
        }
        const int32_t limit = inputs.limit;
        if (limit > 0) expand(-1, 0, inputs.root, first, -1);
        while (!heap_.empty() && tree.n < limit) {
            std::pop_heap(heap_.begin(), heap_.end(), worse);
            const Entry best = heap_.back();
            heap_.pop_back();
            const Child child = children_[best.child];
            const int32_t node = tree.n++;
            tree.tokens[node] = child.token;
            tree.parents[node] = child.parent;
            tree.source[node] = static_cast<uint8_t>(child.source);
            float * row = tree.evidence + node * EVIDENCE;
            row[MATCH_LENGTH] = static_cast<float>(child.match_length);
            row[VOTE_SHARE] = static_cast<float>(child.share);
            row[SIMILARITY] = static_cast<float>(child.similarity);
            row[SIBLING_RANK] = static_cast<float>(ranks_[child.parent + 1]++);
            row[DRAFT_PROBABILITY] = child.rejected ? REJECTED : static_cast<float>(child.drafted);
            row[RECYCLED_PROBABILITY] = static_cast<float>(child.recycled);
            tree.probability[node] = static_cast<float>(child.probability);
            tree.path[node] = best.path;
            ranks_.push_back(0);
            if (child.depth >= inputs.max_depth || tree.n >= limit) continue;
            int32_t head = child.first, tail = child.last;
            if (!(child.source & NGRAM) && inputs.index) {
                path_.clear();
                for (int32_t up = node; up >= 0; up = tree.parents[up]) path_.push_back(tree.tokens[up]);
                std::reverse(path_.begin(), path_.end());
                look_up(child.depth, head, tail);
            }
            expand(node, child.depth, child.token, head, child.draft_node);
        }
    }

  private:
    struct Entry {
        double path;
        int64_t order;
        int32_t child;
    };
    struct Link {
        int32_t match, next;
    };

    static bool worse(const Entry & a, const Entry & b) {
        return a.path != b.path ? a.path < b.path : a.order > b.order;
    }

    void link(const Match & match, int32_t & first, int32_t & last) {
        matches_.push_back(match);
        chain(static_cast<int32_t>(matches_.size()) - 1, first, last);
    }

    void chain(int32_t match, int32_t & first, int32_t & last) {
        links_.push_back({match, -1});
        const auto link = static_cast<int32_t>(links_.size()) - 1;
        if (first < 0) first = link;
        else links_[last].next = link;
        last = link;
    }

    // Matches of the context followed by the tokens of `path_`, as if they had been found at the root.
    void look_up(int32_t depth, int32_t & first, int32_t & last) {
        Found found[MAX_MATCHES];
        const int32_t count = in_->index->find(path_.data(), depth, found);
        for (int32_t i = 0; i < count; i++)
            link({in_->index->text(), found[i].place - depth, in_->index->size(), found[i].length - depth, PROMPT, 0.0,
                  in_->index->votes(found[i].length)}, first, last);
    }

    void children_of_draft() {
        first_draft_.assign(static_cast<size_t>(in_->drafted) + 1, -1);
        next_draft_.assign(static_cast<size_t>(in_->drafted), -1);
        for (int32_t node = in_->drafted - 1; node >= 0; node--) {
            int32_t & first = first_draft_[in_->draft_parents[node] + 1];
            next_draft_[node] = first;
            first = node;
        }
    }

    Child * child_of(int32_t token) {
        const int32_t place = slots_[token].second;
        return slots_[token].first == epoch_ ? &children_[begin_ + place] : nullptr;
    }

    Child & add_child(int32_t token) {
        slots_[token] = {epoch_, static_cast<int32_t>(children_.size()) - begin_};
        children_.emplace_back();
        children_.back().token = token;
        return children_.back();
    }

    void know(int32_t token) {
        if (static_cast<size_t>(token) >= slots_.size()) slots_.resize(std::max<size_t>(token + 1, 2 * slots_.size()), {0, 0});
    }

    void expand(int32_t parent, int32_t depth, int32_t token, int32_t first, int32_t draft_node) {
        const double above = parent >= 0 ? tree_->path[parent] : 1.0;
        const double least = in_->min_probability;
        const int32_t below = depth + 1;
        begin_ = static_cast<int32_t>(children_.size());
        epoch_++;
        double ngram_votes = 0.0, dense_votes = 0.0;
        for (int32_t at = first; at >= 0; at = links_[at].next) {
            const Match match = matches_[links_[at].match];
            const bool ngram = match.source & NGRAM;
            (ngram ? ngram_votes : dense_votes) += match.votes;
            const int64_t place = match.place + depth;
            if (place >= match.end || match.text[place] < 0) continue;
            const int32_t next = match.text[place];
            know(next);
            Child * known = child_of(next);
            Child & child = known ? *known : add_child(next);
            child.source |= match.source;
            if (ngram) {
                child.ngram_votes += match.votes;
                child.match_length = std::max(child.match_length, match.length + depth);
            } else {
                child.dense_votes += match.votes;
                child.similarity = std::max(child.similarity, match.similarity);
            }
            chain(links_[at].match, child.first, child.last);
        }
        const bool looked = draft_node != NOT_EXPANDED && first_draft_[draft_node + 1] >= 0;
        if (looked)
            for (int32_t node = first_draft_[draft_node + 1]; node >= 0; node = next_draft_[node]) {
                const int32_t next = in_->draft_tokens[node];
                const double probability = in_->draft_probabilities[node];
                know(next);
                Child * known = child_of(next);
                if (!known && above * probability < least) continue;
                Child & child = known ? *known : add_child(next);
                child.source |= DRAFT;
                child.drafted = probability;
                child.draft_node = node;
            }
        if (in_->recycled) {
            const auto entry = in_->recycled->find(token);
            if (entry != in_->recycled->end())
                for (int32_t i = 0; i < entry->second.count; i++) {
                    const int32_t next = entry->second.tokens[i];
                    const double probability = entry->second.probabilities[i];
                    know(next);
                    Child * known = child_of(next);
                    if (!known && (probability < MIN_RECYCLED || above * probability < least)) continue;
                    Child & child = known ? *known : add_child(next);
                    child.source |= RECYCLED;
                    child.recycled = probability;
                }
        }
        if (parent < 0) all_votes_ = ngram_votes + dense_votes != 0.0 ? ngram_votes + dense_votes : 1.0;
        const double factor = std::pow(in_->decay, static_cast<double>(below));
        for (auto at = static_cast<size_t>(begin_); at < children_.size(); at++) {
            Child & child = children_[at];
            double share = child.ngram_votes != 0.0 ? child.ngram_votes / ngram_votes : 0.0;
            if (child.dense_votes != 0.0) share = std::max(share, child.dense_votes / dense_votes);
            child.parent = parent;
            child.depth = below;
            child.share = share;
            child.rejected = looked && !(child.source & DRAFT);
            double path;
            if (!in_->weights) {
                child.probability = share * in_->decay;
                path = (child.ngram_votes + child.dense_votes) * factor / all_votes_;
            } else {
                child.probability = chance({child.source, static_cast<double>(child.match_length), share, child.similarity,
                                            child.drafted, child.recycled, child.rejected, below},
                                           in_->weights, in_->residual);
                path = above * child.probability;
            }
            if (path >= least) {
                heap_.push_back({path, discovered_++, static_cast<int32_t>(at)});
                std::push_heap(heap_.begin(), heap_.end(), worse);
            }
        }
    }

    const Inputs * in_ = nullptr;
    Tree * tree_ = nullptr;
    std::vector<Match> matches_;
    std::vector<Link> links_;
    std::vector<Child> children_;
    std::vector<Entry> heap_;
    std::vector<int32_t> ranks_, path_, first_draft_, next_draft_;
    std::vector<std::pair<uint32_t, int32_t>> slots_ = {{0, 0}};  // by token: in which expansion, and which child
    uint32_t epoch_ = 0;
    int32_t begin_ = 0;
    int64_t discovered_ = 0;
    double all_votes_ = 1.0;
};

// ---- cutting and sizing (speculation/tree.py, cost.py) -----------------------------------------------------------------

void copy_node(const Tree & from, int32_t node, int32_t parent, Tree & to) {
    const int32_t place = to.n++;
    to.tokens[place] = from.tokens[node];
    to.parents[place] = parent;
    to.source[place] = from.source[node];
    std::copy_n(from.evidence + node * EVIDENCE, +EVIDENCE, to.evidence + place * EVIDENCE);
    to.probability[place] = from.probability[node];
    to.path[place] = from.path[node];
}

// Nodes by path probability, ties in their order, none deeper than `max_depth`.
void rank(const Tree & tree, int32_t max_depth, std::vector<int32_t> & order) {
    static thread_local std::vector<int32_t> depth;
    depth.resize(tree.n);
    order.clear();
    for (int32_t i = 0; i < tree.n; i++) {
        depth[i] = tree.parents[i] >= 0 ? depth[tree.parents[i]] + 1 : 1;
        if (depth[i] <= max_depth) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return tree.path[a] > tree.path[b]; });
}

// The chosen nodes (best first, with their parents) depth-first, the best child first.
void depth_first(const Tree & tree, const int32_t * chosen, int32_t count, Tree & out) {
    static thread_local std::vector<int32_t> first, next, stack, place;
    first.assign(static_cast<size_t>(tree.n) + 1, -1);
    next.assign(static_cast<size_t>(tree.n), -1);
    place.assign(static_cast<size_t>(tree.n), -1);
    for (int32_t i = count - 1; i >= 0; i--) {
        int32_t & head = first[tree.parents[chosen[i]] + 1];
        next[chosen[i]] = head;
        head = chosen[i];
    }
    out.n = 0;
    stack.clear();
    if (first[0] >= 0) stack.push_back(first[0]);
    while (!stack.empty()) {
        const int32_t node = stack.back();
        stack.pop_back();
        if (next[node] >= 0) stack.push_back(next[node]);
        const int32_t parent = tree.parents[node];
        place[node] = out.n;
        copy_node(tree, node, parent >= 0 ? place[parent] : -1, out);
        if (first[node + 1] >= 0) stack.push_back(first[node + 1]);
    }
}

// As `cost.best_size`; `seconds[n]` are those of a step with n nodes.
int32_t best_size(const double * gains, int32_t count, const double * seconds, int32_t entries, double throughput,
                  double caution) {
    const int32_t most = std::min(count, entries - 1);
    int32_t best = 0;
    double highest = -std::numeric_limits<double>::infinity(), sum = 0.0;
    for (int32_t n = 0; n <= most; n++) {
        if (n > 0) sum += gains[n - 1] * caution;
        const double value = throughput > 0.0 ? 1.0 + sum - throughput * seconds[n] : (1.0 + sum) / seconds[n];
        if (value > highest) highest = value, best = n;
    }
    return best;
}

double expected_gain(const double * gains, int32_t size, const double * seconds, double throughput) {
    double sum = 0.0;
    for (int32_t i = 0; i < size; i++) sum += gains[i];
    return size > 0 ? sum - throughput * (seconds[size] - seconds[0]) : 0.0;
}

}  // namespace

// ---- what Python calls -------------------------------------------------------------------------------------------------

API int32_t localspec_steps_version() { return 3; }

API Index * localspec_index_new(const double * votes, int32_t max_n) { return new Index(votes, max_n); }
API void localspec_index_free(Index * index) { delete index; }
API void localspec_index_follow(Index * index, const int32_t * tokens, int64_t count) { index->follow(tokens, count); }
API int32_t localspec_index_find(const Index * index, const int32_t * drafted, int32_t count, int32_t * lengths, int32_t * places) {
    Found found[MAX_MATCHES];
    const int32_t matches = index->find(drafted, count, found);
    for (int32_t i = 0; i < matches; i++) lengths[i] = found[i].length, places[i] = found[i].place;
    return matches;
}

API int32_t localspec_argmax(const float * logits, int32_t count) {
    const float highest = highest_of(logits, count);
    for (int32_t i = 0; i < count; i++)
        if (logits[i] == highest) return i;
    return 0;
}

API int32_t localspec_likeliest(const float * logits, int32_t vocabulary, int32_t wanted, int32_t * tokens, double * probabilities) {
    Likely likely;
    likeliest(logits, vocabulary, wanted, likely);
    std::copy_n(likely.tokens, likely.count, tokens);
    std::copy_n(likely.probabilities, likely.count, probabilities);
    return likely.count;
}

API Recycled * localspec_recycled_new() { return new Recycled(); }
API void localspec_recycled_free(Recycled * table) { delete table; }
API int32_t localspec_recycled_get(const Recycled * table, int32_t token, int32_t * tokens, double * probabilities) {
    const auto entry = table->find(token);
    if (entry == table->end()) return -1;
    std::copy_n(entry->second.tokens, entry->second.count, tokens);
    std::copy_n(entry->second.probabilities, entry->second.count, probabilities);
    return entry->second.count;
}
API void localspec_recycled_put(Recycled * table, int32_t token, const int32_t * tokens, const double * probabilities, int32_t count) {
    Likely & likely = (*table)[token];
    likely.count = std::min(count, TOP_K);
    std::copy_n(tokens, likely.count, likely.tokens);
    std::copy_n(probabilities, likely.count, likely.probabilities);
}

// Trees are written into a block with room for `limit` nodes; returned is how many there are.
API int32_t localspec_build(const Inputs * inputs, void * block) {
    static thread_local Builder builder;
    Tree tree = room_for(inputs->limit);
    builder.build(*inputs, tree);
    tree.pack(block);
    return tree.n;
}

API void localspec_calibrate(void * block, int32_t nodes, const double * weights, const double * residual) {
    static thread_local std::vector<Evidence> known;
    const Tree tree(block, nodes);
    evidence_of(tree, known);
    for (int32_t i = 0; i < nodes; i++) {
        tree.probability[i] = static_cast<float>(chance(known[i], weights, residual));
        tree.path[i] = static_cast<double>(tree.probability[i]) * (tree.parents[i] >= 0 ? tree.path[tree.parents[i]] : 1.0);
    }
}

// Learns from a verification. Returns the number of nodes that were tried.
API int32_t localspec_learn(void * block, int32_t nodes, const int32_t * path, int32_t accepted, double * weights, double * precision,
                            const double * start, double * residual) {
    static thread_local std::vector<Evidence> known;
    static thread_local std::vector<char> taken;
    static thread_local std::vector<std::pair<int32_t, double>> tried;
    const Tree tree(block, nodes);
    evidence_of(tree, known);
    taken.assign(static_cast<size_t>(nodes), 0);
    for (int32_t i = 0; i < accepted; i++) taken[path[i]] = 1;
    for (int32_t f = 0; f < FEATURES; f++) precision[f] = std::max(start[f], precision[f] * FORGETTING);
    tried.clear();
    for (int32_t i = 0; i < nodes; i++)
        if (tree.parents[i] < 0 || taken[tree.parents[i]]) tried.emplace_back(i, chance(known[i], weights, residual));
    double residuals[KIND_COUNT] = {};
    int32_t met = 0;
    Term terms[FEATURES];
    for (const auto & [node, expected] : tried) {
        const double miss = (taken[node] ? 1.0 : 0.0) - expected, certainty = expected * (1.0 - expected);
        const int32_t count = features(known[node], residual, terms);
        for (int32_t t = 0; t < count; t++) {
            const auto [feature, value] = terms[t];
            precision[feature] += value * value * certainty;
            weights[feature] += bounded(miss * value / precision[feature], -LARGEST_STEP, LARGEST_STEP);
        }
        met |= known[node].source;
        for (int32_t k = 0; k < KIND_COUNT; k++)
            if (known[node].source & KINDS[k]) residuals[k] += miss;
    }
    for (int32_t k = 0; k < KIND_COUNT; k++)
        if (met & KINDS[k]) residual[k] += RESIDUAL_FADING * (bounded(residuals[k], -1.0, 1.0) - residual[k]);
    return static_cast<int32_t>(tried.size());
}

// Seconds of a step by its nodes, and the rows its batch has best: more than needed where a change costs more.
API void localspec_step_seconds(const double * decode_seconds, const int32_t * sizes, int32_t size_count, int32_t last_rows,
                                double change, double overhead, int32_t nodes, double * seconds, int32_t * rows) {
    double best = std::numeric_limits<double>::infinity();
    int32_t best_rows = 0, size = size_count - 1;
    for (int32_t n = nodes; n >= 0; n--) {
        for (; size >= 0 && sizes[size] > n; size--) {
            const double taken = decode_seconds[sizes[size]] + (last_rows > 0 && sizes[size] != last_rows ? change : 0.0);
            if (taken <= best) best = taken, best_rows = sizes[size];
        }
        seconds[n] = best + (n > 0 ? overhead : 0.0);
        rows[n] = best_rows;
    }
}

API int32_t localspec_best_size(const double * gains, int32_t count, const double * seconds, int32_t entries, double throughput,
                                double caution) {
    return best_size(gains, count, seconds, entries, throughput, caution);
}

// The `limit` best nodes, or with `seconds` as many of them as pay.
API int32_t localspec_cut(void * block, int32_t nodes, int32_t limit, int32_t max_depth, const double * seconds,
                          int32_t entries, double throughput, double caution, void * result) {
    static thread_local std::vector<int32_t> order;
    static thread_local std::vector<double> gains;
    const Tree tree(block, nodes);
    rank(tree, max_depth, order);
    auto count = std::max(0, std::min<int32_t>(limit, static_cast<int32_t>(order.size())));
    if (seconds) {
        gains.resize(count);
        for (int32_t i = 0; i < count; i++) gains[i] = tree.path[order[i]];
        count = best_size(gains.data(), count, seconds, entries, throughput, caution);
    }
    Tree out(result, count);
    out.n = 0;
    if (count > 0) depth_first(tree, order.data(), count, out);
    return count;
}

// What a source gained that grew `before` into `now`, in tokens: the part of the new tree that will be verified against
// the part of the old one that would have been, both by what is known now. Without `seconds` rows are free.
API double localspec_gain(void * earlier, int32_t earlier_nodes, void * later, int32_t later_nodes, const double * seconds,
                          int32_t entries, double throughput, double caution) {
    static thread_local std::vector<int32_t> place;
    static thread_local std::vector<double> gains;
    const Tree before(earlier, earlier_nodes), now(later, later_nodes);
    const int32_t limit = entries - 1;
    const auto size_of = [&](const Tree & tree) {
        return seconds ? best_size(tree.path, tree.n, seconds, entries, throughput, caution) : std::min(tree.n, limit);
    };
    const auto value = [&](const double * paths, int32_t size) {
        double sum = 0.0;
        if (seconds) return expected_gain(paths, size, seconds, throughput);
        for (int32_t i = 0; i < size; i++) sum += paths[i];
        return sum;
    };
    const int32_t size = size_of(before);
    place.assign(static_cast<size_t>(size), -2);
    gains.assign(static_cast<size_t>(size), 0.0);
    for (int32_t i = 0; i < size; i++) {
        const int32_t above = before.parents[i] >= 0 ? place[before.parents[i]] : -1;
        if (above == -2) continue;
        for (int32_t j = above + 1; j < now.n; j++)
            if (now.parents[j] == above && now.tokens[j] == before.tokens[i]) {
                place[i] = j;
                gains[i] = now.path[j];
                break;
            }
    }
    return value(now.path, size_of(now)) - value(gains.data(), size);
}

// Positions and sequences of root + tree + rows that fill the batch up to `rows`, for llama.cpp. Returns the number of
// sequences, at `least` so many, which all share the root. `leaf_of`: one sequence of each row.
API int32_t localspec_place(const int32_t * parents, int32_t nodes, int32_t rows, int32_t past, int32_t least, int32_t width,
                            int32_t * positions, int32_t * counts, int32_t * sequences, int32_t * leaf_of) {
    constexpr int32_t most_rows = 65;
    uint64_t below[most_rows] = {};
    int32_t depth[most_rows] = {};
    bool inner[most_rows] = {};
    const int32_t real = nodes + 1;
    for (int32_t i = 0; i < nodes; i++) {
        const int32_t parent = parents[i] + 1;
        depth[i + 1] = depth[parent] + 1;
        inner[parent] = true;
    }
    int32_t leaves = 0, first_leaf = 0;
    for (int32_t row = real - 1; row >= 0; row--)
        if (!inner[row]) first_leaf = row;
    for (int32_t row = 0; row < real; row++)
        if (!inner[row]) below[row] = uint64_t{1} << leaves++;
    for (int32_t row = real - 1; row > 0; row--) below[parents[row - 1] + 1] |= below[row];
    for (int32_t row = real; row < rows; row++) {
        // Behind the first leaf: no row of the tree attends to a later position of its branch.
        below[row] = below[first_leaf];
        depth[row] = depth[first_leaf] + 1 + row - real;
    }
    const int32_t total = std::max(leaves, least);
    below[0] = total >= 64 ? ~uint64_t{0} : (uint64_t{1} << total) - 1;
    for (int32_t row = 0; row < rows; row++) {
        positions[row] = past + depth[row];
        int32_t count = 0;
        for (int32_t s = 0; s < total; s++)
            if (below[row] >> s & 1) sequences[row * width + count++] = s;
        counts[row] = count;
        leaf_of[row] = sequences[row * width];
    }
    return total;
}

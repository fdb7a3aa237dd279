// Fibers, barriers and warp operations of one block at a time.
#include "emulator_control.h"

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

// The bounds of all __shared__ variables, from the linker.
extern "C" __attribute__((visibility("hidden"))) char __start_emulated_shared[];
extern "C" __attribute__((visibility("hidden"))) char __stop_emulated_shared[];

namespace emulator {

Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t StackBytes = 128 << 10;
constexpr int WarpSize = 32;

enum class Wait { None, Warp, Block };

struct Copy {
    char* to;
    const char* from;
    int bytes;
    int count;
    unsigned group;
};

struct Thread {
    std::unique_ptr<char[]> stack;
    jmp_buf context;
    bool started = false;
    bool finished = false;
    Wait wait = Wait::None;
    unsigned generation = 0;
    const Barrier* barrier = nullptr;
    std::vector<Copy> copies;  // that have not arrived yet, in order
    unsigned group = 0;
};

struct Warp {
    int arrived = 0;
    unsigned generation = 0;
    // Two sets: a lane may enter the next exchange while others still read the last one.
    Words words[2][WarpSize];
};

std::vector<Thread> threads;
std::vector<Warp> warps;
jmp_buf scheduler;
int current;
int thread_count;
int finished;
int arrived_at_barrier;
char* dynamic_start;
size_t dynamic_bytes;
unsigned barrier_generation;
const std::function<void()>* kernel;
std::string failure;
uint32_t random_state = 1;

std::map<std::string, Binder>& kernels() {
    static std::map<std::string, Binder> instance;
    return instance;
}

// A template's barrier is one of each instance.
std::vector<Barrier*>& sites() {
    static std::vector<Barrier*> instance;
    return instance;
}

uint32_t random_number() {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

struct sigaction previous_fault_handler;
thread_local bool inside_kernel;

// An access outside all memory ends the launch, as on a device, and not the process.
void on_fault(int signal, siginfo_t* info, void* machine) {
    if (inside_kernel) {
        failure = "an illegal address";
        _longjmp(scheduler, 1);
    }
    if (previous_fault_handler.sa_flags & SA_SIGINFO) {
        previous_fault_handler.sa_sigaction(signal, info, machine);
    } else if (previous_fault_handler.sa_handler == SIG_DFL) {
        sigaction(SIGSEGV, &previous_fault_handler, nullptr);
    } else {
        previous_fault_handler.sa_handler(signal);
    }
}

struct FaultGuard {
    FaultGuard() {
        struct sigaction action = {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &previous_fault_handler);
    }
    ~FaultGuard() { sigaction(SIGSEGV, &previous_fault_handler, nullptr); }
};

void pause() {
    if (_setjmp(threads[current].context) == 0) {
        _longjmp(scheduler, 1);
    }
}

void deliver(const Copy& copy) {
    std::memcpy(copy.to, copy.from, copy.count);
    std::memset(copy.to + copy.count, 0, copy.bytes - copy.count);
}

// Places the dynamic shared memory so that it ends where a page that nobody may touch begins.
void place_dynamic_shared(size_t bytes) {
    static char* const memory = [] {
        size_t usable = (MaxDynamicShared + 4095) / 4096 * 4096;
        char* pages = static_cast<char*>(mmap(nullptr, usable + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(pages, usable, PROT_READ | PROT_WRITE);
        return pages + usable;
    }();
    dynamic_start = memory - bytes;
    dynamic_bytes = bytes;
}

// A fiber runs thread after thread: one per block.
void fiber() {
    for (;;) {
        (*kernel)();
        threads[current].finished = true;
        finished++;
        pause();
    }
}

bool runnable(int index) {
    const Thread& thread = threads[index];
    if (thread.finished) {
        return false;
    }
    switch (thread.wait) {
        case Wait::Warp: return warps[index / WarpSize].generation != thread.generation;
        case Wait::Block: return barrier_generation != thread.generation;
        default: return true;
    }
}

void resume(int index) {
    Thread& thread = threads[index];
    current = index;
    thread.wait = Wait::None;
    thread_index = {
        index % block_size.x, index / block_size.x % block_size.y, index / (block_size.x * block_size.y)};
    inside_kernel = true;
    if (_setjmp(scheduler) == 0) {
        if (thread.started) {
            _longjmp(thread.context, 1);
        }
        thread.started = true;
        ucontext_t start;
        getcontext(&start);
        start.uc_stack.ss_sp = thread.stack.get();
        start.uc_stack.ss_size = StackBytes;
        start.uc_link = nullptr;
        makecontext(&start, fiber, 0);
        setcontext(&start);
    }
    inside_kernel = false;
}

// Runs a warp until all its threads wait for others; true if any ran.
bool run_warp(int warp) {
    int first = warp * WarpSize;
    int count = thread_count - first < WarpSize ? thread_count - first : WarpSize;
    bool progress = false;
    for (bool ran = true; ran && failure.empty();) {
        ran = false;
        bool forwards = random_number() & 1;
        for (int i = 0; i < count && failure.empty(); i++) {
            int index = first + (forwards ? i : count - 1 - i);
            if (runnable(index)) {
                resume(index);
                ran = true;
            }
        }
        progress |= ran;
    }
    return progress;
}

void run_block() {
    for (int i = 0; i < thread_count; i++) {
        threads[i].finished = false;
        threads[i].wait = Wait::None;
        threads[i].copies.clear();
        threads[i].group = 0;
    }
    for (Warp& warp : warps) {
        warp.arrived = 0;
    }
    finished = 0;
    arrived_at_barrier = 0;
    std::memset(__start_emulated_shared, 0xff, __stop_emulated_shared - __start_emulated_shared);
    std::memset(dynamic_start, 0xff, dynamic_bytes);
    while (finished < thread_count && failure.empty()) {
        int count = (int)warps.size();
        int first = (int)(random_number() % (unsigned)count);
        bool forwards = random_number() & 1;
        bool progress = false;
        for (int i = 0; i < count; i++) {
            progress |= run_warp((first + (forwards ? i : count - i)) % count);
        }
        if (!progress && failure.empty()) {
            failure = "some threads wait at a barrier or in a warp operation that others never reach";
        }
    }
}

}  // namespace

[[noreturn]] void fail(const std::string& message) {
    failure = message;
    _longjmp(scheduler, 1);
}

int lane() { return current % WarpSize; }

Barrier::Barrier(const char* path, int number) : file(path), line(number) {
    const char* slash = std::strrchr(path, '/');
    file = slash == nullptr ? path : slash + 1;
    sites().push_back(this);
}

void block_barrier(const Barrier& barrier) {
    if (barrier.skipped) {
        return;
    }
    Thread& thread = threads[current];
    thread.barrier = &barrier;
    if (++arrived_at_barrier == thread_count) {
        for (int i = 0; i < thread_count; i++) {
            if (threads[i].barrier != &barrier) {
                fail("threads of one block wait at different barriers");
            }
        }
        arrived_at_barrier = 0;
        barrier_generation++;
        return;
    }
    thread.wait = Wait::Block;
    thread.generation = barrier_generation;
    pause();
}

void copy_async(void* shared, const void* global, int bytes, int count) {
    Copy copy = {static_cast<char*>(shared), static_cast<const char*>(global), bytes, count, threads[current].group};
    if ((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) % bytes != 0 || count < 0 || count > bytes
        || copy.to < dynamic_start || copy.to + bytes > dynamic_start + dynamic_bytes) {
        fail("an asynchronous copy that is not aligned, of a size that can't be, or to somewhere outside shared memory");
    }
    if (random_number() & 1) {
        deliver(copy);
    } else {
        threads[current].copies.push_back(copy);
    }
}

void commit_copies() { threads[current].group++; }

void wait_for_copies(int groups, const Barrier& wait) {
    if (wait.skipped) {
        return;
    }
    Thread& thread = threads[current];
    size_t arrived = 0;
    while (arrived < thread.copies.size() && thread.copies[arrived].group + groups < thread.group) {
        deliver(thread.copies[arrived++]);
    }
    thread.copies.erase(thread.copies.begin(), thread.copies.begin() + arrived);
}

void* dynamic_shared() { return dynamic_start; }

const Words* exchange(const uint32_t* words, int count) {
    int index = current;
    Warp& warp = warps[index / WarpSize];
    unsigned generation = warp.generation;
    Words* set = warp.words[generation & 1];
    for (int i = 0; i < count; i++) {
        set[index % WarpSize][i] = words[i];
    }
    if (++warp.arrived == WarpSize) {
        warp.arrived = 0;
        warp.generation++;
    } else {
        threads[index].wait = Wait::Warp;
        threads[index].generation = generation;
        pause();
    }
    return set;
}

void multiply_fragments(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Format format) {
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const Words* words = exchange(mine, 6);
    auto part = [&](uint32_t word, int half) {
        if (format == Format::Float16) {
            _Float16 value;
            std::memcpy(&value, reinterpret_cast<const char*>(&word) + 2 * half, 2);
            return (double)value;
        }
        uint32_t bits = format == Format::Tf32 ? word : half == 0 ? word << 16 : word & 0xffff0000u;
        float value;
        std::memcpy(&value, &bits, 4);
        return (double)value;
    };
    int group = lane() / 4;
    int member = lane() % 4;
    for (int i = 0; i < 4; i++) {
        int row = group + i / 2 * 8;
        int column = member * 2 + i % 2;
        double sum = 0;
        for (int word = 0; word < 8; word++) {
            uint32_t from_a = words[row % 8 * 4 + word % 4][row / 8 + word / 4 * 2];
            uint32_t from_b = words[column * 4 + word % 4][4 + word / 4];
            for (int half = 0; half < (format == Format::Tf32 ? 1 : 2); half++) {
                sum += part(from_a, half) * part(from_b, half);
            }
        }
        c[i] = (float)(c[i] + sum);
    }
}

void register_kernel(const char* name, Binder binder) { kernels()[name] = binder; }

Binder find_kernel(const char* name) {
    auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : found->second;
}

std::string run(const std::function<void()>& bound, Index grid, Index block, size_t dynamic_shared) {
    place_dynamic_shared(dynamic_shared);
    kernel = &bound;
    grid_size = grid;
    block_size = block;
    thread_count = (int)(block.x * block.y * block.z);
    failure.clear();
    if (thread_count % WarpSize != 0) {
        return "a block is not whole warps";
    }
    while ((int)threads.size() < thread_count) {
        threads.emplace_back();
        threads.back().stack.reset(new char[StackBytes]);
    }
    warps.assign(thread_count / WarpSize, Warp());
    FaultGuard guard;
    for (unsigned z = 0; z < grid.z && failure.empty(); z++) {
        for (unsigned y = 0; y < grid.y && failure.empty(); y++) {
            for (unsigned x = 0; x < grid.x && failure.empty(); x++) {
                block_index = {x, y, z};
                run_block();
            }
        }
    }
    if (!failure.empty()) {
        // Their threads stopped half-way.
        threads.clear();
    }
    return failure;
}

void seed(uint32_t value) { random_state = value; }

void skip_barrier(const char* file, int line) {
    for (Barrier* site : sites()) {
        site->skipped = site->line == line && std::strcmp(site->file, file) == 0;
    }
}

std::string barriers() {
    std::set<std::string> names;
    for (const Barrier* site : sites()) {
        names.insert(site->file + (":" + std::to_string(site->line)));
    }
    std::string text;
    for (const std::string& name : names) {
        text += name + "\n";
    }
    return text;
}

}  // namespace emulator

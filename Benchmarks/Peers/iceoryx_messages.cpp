// iceoryx: publishers and subscribers, client and server, all of which wait when a queue is full; sleepers in a wait set. There is no queue
// from which several receivers take.
// Its daemon, RouDi, is started by ipc with "daemon" in place of a pattern and its own process id.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "iceoryx_hoofs/cxx/string.hpp"
#include "iceoryx_hoofs/log/logmanager.hpp"
#include "iceoryx_posh/popo/untyped_client.hpp"
#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_server.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"
#include "peer.h"

namespace {

using namespace iox;

struct context {
  std::optional<popo::UntypedPublisher> publisher;
  std::optional<popo::UntypedSubscriber> subscriber;
  std::optional<popo::UntypedClient> client;
  std::optional<popo::UntypedServer> server;
  popo::WaitSet<2> *sleeper = nullptr;
  const void *received = nullptr;
};

// Chunks for messages of each size. A message and its header have to fit; queues of 64 small messages and of 8 large ones can be full.
const char *configuration = R"(
[general]
version = 1
[[segment]]
[[segment.mempool]]
size = 256
count = 8192
[[segment.mempool]]
size = 8192
count = 512
[[segment.mempool]]
size = 1048832
count = 64
[[segment.mempool]]
size = 67109120
count = 8
)";

// Becomes RouDi, which ends with ipc. Its configuration lies in memory, so that no file is left behind.
int run_daemon(pid_t coordinator) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != coordinator) return 64;
  int file = memfd_create("roudi.toml", 0);
  size_t length = std::strlen(configuration);
  if (file < 0 || write(file, configuration, length) != static_cast<ssize_t>(length)) {
    std::fprintf(stderr, "iceoryx: memfd_create: %s\n", std::strerror(errno));
    return 1;
  }
  std::string path = "/proc/self/fd/" + std::to_string(file);
  execlp("iox-roudi", "iox-roudi", "-l", "error", "-c", path.c_str(), static_cast<char *>(nullptr));
  std::fprintf(stderr, "iox-roudi: %s\n", std::strerror(errno));
  return 1;
}

void *copied(const void *message, uint64_t size, void *place) { return std::memcpy(place, message, size); }

bool send(bench_port *port, const void *message, uint64_t size, bench_wait) {
  context *context = static_cast<struct context *>(port->context);
  auto length = static_cast<uint32_t>(size);
  bool sent = false;
  auto refused = [&](auto &error) {
    // Every chunk is with a receiver that has not given it back yet.
    if (error != popo::AllocationError::RUNNING_OUT_OF_CHUNKS) bench_fail(port->side, "iceoryx: loan", 0);
    sched_yield();
  };
  if (context->publisher) {
    context->publisher->loan(length).and_then([&](auto &place) {
      context->publisher->publish(copied(message, size, place));
      sent = true;
    }).or_else(refused);
  } else if (context->client) {
    context->client->loan(length, 8).and_then([&](auto &place) {
      sent = !context->client->send(copied(message, size, place)).has_error();
    }).or_else(refused);
  } else {
    auto *request = popo::RequestHeader::fromPayload(context->received);
    context->server->loan(request, length, 8).and_then([&](auto &place) {
      sent = !context->server->send(copied(message, size, place)).has_error();
    }).or_else(refused);
    if (sent) context->server->releaseRequest(context->received);
  }
  return sent;
}

const void *take(context *context) {
  const void *found = nullptr;
  auto keep = [&](const void *payload) { found = payload; };
  if (context->subscriber) context->subscriber->take().and_then(keep);
  if (context->client) context->client->take().and_then(keep);
  if (context->server) context->server->take().and_then(keep);
  return context->received = found;
}

// Polls for a while; who is to sleep sleeps at once.
const void *receive(bench_port *port, uint64_t, bench_wait wait) {
  context *context = static_cast<struct context *>(port->context);
  while (true) {
    const void *found = take(context);
    if (found != nullptr || wait == BENCH_POLL) return found;
    if (context->sleeper != nullptr) {
      context->sleeper->wait();
    } else {
      sched_yield();
    }
  }
}

void release(bench_port *port) {
  context *context = static_cast<struct context *>(port->context);
  if (context->subscriber) context->subscriber->release(context->received);
  if (context->client) context->client->releaseResponse(context->received);
  // A server gives a request back when it has replied: the reply's address is in it.
}

template <class Receiver, class State>
void sleep_at(bench_side *side, context &context, Receiver &receiver, State state) {
  if (context.sleeper == nullptr) return;
  if (context.sleeper->attachState(receiver, state).has_error()) bench_fail(side, "iceoryx: the wait set took no receiver", 0);
}

void open_end(bench_side *side, bench_pattern pattern, context &context) {
  bool near = bench_is_near(side);
  char number[32];
  peer_name(number, sizeof number, "%llx", side, 0);
  capro::ServiceDescription service{"ipc", "bench", capro::IdString_t(cxx::TruncateToCapacity, number)};
  uint64_t capacity = side->control->message_size >= (1 << 20) ? 8 : 64;
  if (peer_is_request(pattern) && near) {
    popo::ClientOptions options;
    options.responseQueueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
    options.serverTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    context.client.emplace(service, options);
    sleep_at(side, context, *context.client, popo::ClientState::HAS_RESPONSE);
  } else if (peer_is_request(pattern)) {
    popo::ServerOptions options;
    options.requestQueueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
    options.clientTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    context.server.emplace(service, options);
    sleep_at(side, context, *context.server, popo::ServerState::HAS_REQUEST);
  } else if (near) {
    popo::SubscriberOptions options;
    options.queueCapacity = capacity;
    options.queueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
    context.subscriber.emplace(service, options);
    sleep_at(side, context, *context.subscriber, popo::SubscriberState::HAS_DATA);
  } else {
    popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    context.publisher.emplace(service, options);
  }
}

bool is_connected(bench_side *side, const context &context) {
  if (context.client) return context.client->getConnectionState() == ConnectionState::CONNECTED;
  if (context.server) return context.server->hasClients();
  if (context.subscriber) return context.subscriber->getSubscriptionState() == SubscribeState::SUBSCRIBED;
  return context.publisher->hasSubscribers() && side != nullptr;
}

}  // namespace

static void play(bench_side *side, bench_pattern pattern) {
  char name[64];
  peer_name(name, sizeof name, "ipc-bench-%llx-%u", side, side->index);
  log::LogManager::GetLogManager().SetDefaultLogLevel(log::LogLevel::kError, log::LogLevelOutput::kHideLogLevel);
  runtime::PoshRuntime::initRuntime(RuntimeName_t(cxx::TruncateToCapacity, name));
  context context;
  if (pattern == BENCH_REQUEST_BLOCKING || pattern == BENCH_MESSAGE_WAKEUP) context.sleeper = new popo::WaitSet<2>;
  if (pattern == BENCH_MANY_TO_MANY) bench_fail(side, "iceoryx has no such case", 0);
  open_end(side, pattern, context);
  bench_meet(side);
  // RouDi connects the ends, one after the other.
  while (!is_connected(side, context)) sched_yield();
  bench_meet(side);
  bench_port port = {side, &context, send, receive, release};
  bench_play_messages(&port, pattern);
}

int main(int count, char **arguments) {
  if (count == 3 && std::strcmp(arguments[1], "daemon") == 0) return run_daemon(std::atoi(arguments[2]));
  return peer_main(count, arguments);
}

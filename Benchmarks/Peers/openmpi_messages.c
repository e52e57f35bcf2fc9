// OpenMPI between processes of one machine, through its shared memory (BTL vader): sends and receives, and for a topic broadcasts. It polls
// always; there is no sleeper to wake.
// Ranks have to be started by mpirun: the one process that ipc starts, with "launch" in place of a side, becomes that.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "peer.h"

typedef struct context {
  void *buffer;
  int other;  // the rank to send to and to receive from
  bool broadcasts;
} context;

static bool send_message(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  context *context = port->context;
  (void)wait;
  if (context->broadcasts) {
    MPI_Bcast((void *)message, (int)size, MPI_BYTE, context->other, MPI_COMM_WORLD);
  } else {
    MPI_Send(message, (int)size, MPI_BYTE, context->other, 0, MPI_COMM_WORLD);
  }
  return true;
}

static const void *receive_message(bench_port *port, uint64_t size, bench_wait wait) {
  context *context = port->context;
  (void)wait;
  if (context->broadcasts) {
    MPI_Bcast(context->buffer, (int)size, MPI_BYTE, context->other, MPI_COMM_WORLD);
  } else {
    MPI_Recv(context->buffer, (int)size, MPI_BYTE, context->other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  return context->buffer;
}

static void play(bench_side *side, bench_pattern pattern) {
  bool near = bench_is_near(side);
  context context = {.buffer = aligned_alloc(BENCH_PAGE, (side->control->message_size + BENCH_PAGE - 1) & ~(BENCH_PAGE - 1ull))};
  context.broadcasts = pattern == BENCH_TOPIC;
  context.other = near ? MPI_ANY_SOURCE : 0;
  // The publisher is the first on the far side.
  if (context.broadcasts || (near && peer_is_request(pattern))) context.other = (int)side->control->near_sides;
  bench_port port = {.side = side, .context = &context, .send = send_message, .receive = receive_message};
  if (pattern == BENCH_MANY_TO_MANY || pattern == BENCH_MESSAGE_WAKEUP) bench_fail(side, "OpenMPI has no such case", 0);
  bench_play_messages(&port, pattern);
  free(context.buffer);
}

static int run(char **arguments, const char *pattern, const char *index, const char *count, const char *area) {
  char *all[] = {arguments[0], (char *)pattern, (char *)index, (char *)count, (char *)area, NULL};
  return peer_main(5, all);
}

// Becomes mpirun, which ends with ipc and starts the ranks: this program with "rank" and where the memory is.
static int launch(char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  bench_control *control = mmap(NULL, BENCH_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, BENCH_MEMORY, 0);
  if (control == MAP_FAILED || (uint32_t)getppid() != control->coordinator) return 64;
  control->launcher = (uint32_t)getpid();
  char sides[16], memory[64], self[512];
  snprintf(sides, sizeof sides, "%u", control->sides);
  snprintf(memory, sizeof memory, "/proc/%d/fd/%d", (int)getpid(), BENCH_MEMORY);
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return 64;
  self[length] = 0;
  // It refuses root's programs unless told twice.
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  execlp("mpirun", "mpirun", "--quiet", "-n", sides, "--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl",
         "self,vader", self, arguments[1], "rank", arguments[3], arguments[4], memory, (char *)NULL);
  bench_report *report = &control->reports[0];
  snprintf(report->failure, sizeof report->failure, "mpirun: %s", strerror(errno));
  return 1;
}

static int be_rank(char **arguments) {
  // mpirun may be gone before it could take its ranks along.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char *rank = getenv("OMPI_COMM_WORLD_RANK");
  int memory = open(arguments[5], O_RDWR);
  if (rank == NULL || memory < 0) return 64;
  if (memory != BENCH_MEMORY && (dup2(memory, BENCH_MEMORY) < 0 || close(memory) != 0)) return 64;
  bench_control *control = mmap(NULL, BENCH_PAGE, PROT_READ, MAP_SHARED, BENCH_MEMORY, 0);
  int index = atoi(rank);
  if (control == MAP_FAILED || index < 0 || index >= BENCH_MOST_SIDES) return 64;
  if (control->processors[index] >= 0) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(control->processors[index], &processors);
    sched_setaffinity(0, sizeof processors, &processors);
  }
  if (MPI_Init(NULL, NULL) != MPI_SUCCESS) return 64;
  int status = run(arguments, arguments[1], rank, arguments[3], arguments[4]);
  MPI_Finalize();
  return status;
}

int main(int count, char **arguments) {
  if (count == 5 && strcmp(arguments[2], "launch") == 0) return launch(arguments);
  if (count == 6 && strcmp(arguments[2], "rank") == 0) return be_rank(arguments);
  return peer_main(0, arguments);
}

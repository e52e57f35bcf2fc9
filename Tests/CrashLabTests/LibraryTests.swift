import InterprocessSystem
import Testing

#if arch(x86_64)
    /// A few points of the library's own scenarios, so that a scenario that has come apart is seen here. The sample worth the name is `crashlab run`.
    @Suite("the crash lab on the library", .serialized) struct LibraryTests {
        @Test(
            "a few points of each mode hold",
            arguments: [
                ["queue.trySend", "--mode", "kill", "--every", "300"], ["queue.tryReceive", "--mode", "kill", "--every", "300"],
                ["queue.send.waking", "--every", "300"], ["queue.receive.waking", "--every", "1000"],
                ["queue.receive.empty", "--mode", "asleep"],
                ["queue.trySend", "--mode", "scribble", "--point", "i20/p0", "--point", "i20/p2", "--point", "i20/p6"],
                ["queue.storm", "--kills", "100"], ["queue.schedule", "--schedules", "10"], ["keeper.repair", "--every", "2000"],
            ])
        func points(arguments: [String]) async throws {
            try await holds(arguments)
        }

        @Test(
            "C5 L3 a sender or receiver killed after any change of the shared bytes: each message is there wholly or not at all, taken or still there, and all goes on at once",
            arguments: [
                ["queue.send", "queue.trySend", "queue.sendBatch", "queue.publish", "queue.bytes.send", "queue.bytes.publish"],
                ["queue.bytes.reserve", "queue.send.full", "queue.send.dropNewest", "queue.send.dropOldest"],
                ["queue.sender.join", "queue.sender.close", "queue.receiver.join", "queue.receiver.close"],
                ["queue.receive", "queue.tryReceive", "queue.receiveBatch", "queue.bytes.receive", "queue.bytes.receiveInPlace"],
                ["queue.receive.empty", "queue.receive.dropNewest", "queue.receive.dropOldest"],
                ["fanin.send", "fanin.send.full", "fanin.send.waking", "fanin.join", "fanin.receive", "fanin.receive.sleep"],
                ["fanin.receive.sleep.async", "shared.send.full.async", "shared.receive.sleep.async", "shared.take.async"],
            ])
        func messages(scenarios: [String]) async throws {
            try await holds(scenarios + ["--mode", "kill", "--every", "20000"])
        }

        @Test(
            "C5 C6 L3 a publisher or subscriber of a topic killed after any change of the shared bytes: each message is published wholly or not at all, all it had comes back, and nobody is held up",
            arguments: [
                ["topic.publish", "topic.publish.loan", "topic.close"],
                ["topic.receive", "topic.receive.lossy", "topic.take", "topic.join"],
                ["topic.one.publish", "topic.one.publish.loan", "topic.one.open", "topic.one.take", "topic.one.join"],
                ["topic.publish.full.async", "topic.receive.sleep.async", "topic.one.publish.full.async"],
            ])
        func topics(scenarios: [String]) async throws {
            try await holds(scenarios + ["--mode", "kill", "--every", "20000"])
        }

        @Test(
            "V2 L3 a process that puts, takes, swaps or changes a variable, killed after any change of the shared bytes: the value is there wholly, or not at all, and all goes on at once",
            arguments: [
                ["variable.put", "variable.take", "variable.swap", "variable.modify"],
                ["variable.put.full", "variable.take.empty", "variable.read", "variable.withValue"],
                ["variable.put.full.async", "variable.take.empty.async"],
            ])
        func variables(scenarios: [String]) async throws {
            try await holds(scenarios + ["--mode", "kill", "--every", "20000"])
        }

        @Test(
            "S1 S2 S3 S4 S5 S6 S7 S8 L3 a process that uses a primitive, or waits for it in a task, killed after any change of the shared bytes: what it held comes back, and all goes on at once",
            arguments: [
                [
                    "semaphore.signal", "semaphore.wait", "semaphore.sleep.async", "permits.acquire", "permits.release",
                    "permits.sleep.async",
                ],
                ["mutex.lock", "mutex.unlock", "mutex.repair", "mutex.async.wait", "condition.notify-one", "condition.wait.async"],
                ["rw.lock", "rw.unlock", "rw.read", "rw.wait-read.async", "barrier.wait", "barrier.close", "barrier.sleep.async"],
                ["latch.open", "latch.wait.async", "event.set", "event.wait-automatic.async", "once.run", "once.wait.async"],
            ])
        func synchronization(scenarios: [String]) async throws {
            try await holds(scenarios + ["--mode", "kill", "--every", "20000"])
        }

        @Test("S9 L3 a process that takes a lock of a file, gives it back or waits for it, killed: the next one has it, and nobody before")
        func fileLocks() async throws {
            try await holds(["filelock.", "--mode", "kill", "--mode", "contended", "--mode", "asleep", "--every", "100"])
        }

        @Test(
            "H2 H4 H5 H6 H8 H9 L3 a side of a handoff killed after any change of the shared bytes: the other is told at once, no turn is lost or had twice, and a third is kept out",
            arguments: [
                ["handoff.parent", "handoff.child", "handoff.close", "handoff.rejoin", "handoff.parent.async"],
                [
                    "handoff.child.async", "handoff.sleep.async", "handoff.give-up.cancel", "handoff.call", "handoff.serve",
                    "handoff.serve.async",
                ],
            ])
        func handoffs(scenarios: [String]) async throws {
            try await holds(scenarios + ["--mode", "kill", "--every", "20000"])
        }

        @Test(
            "A1 A2 A5 L3 N8 a process that allocates, frees, publishes, takes, or changes the pages of an arena, killed after any change of the shared bytes: nothing is lost, and nothing is two's",
            arguments: [
                ["arena.free", "arena.free-remote", "arena.run"], ["arena.replace"], ["arena.close"],
            ])
        func arenas(scenarios: [String]) async throws {
            try await holds(scenarios + ["--mode", "kill", "--every", "20000"])
        }

        @Test(
            "L2 L3 N8 stopped, interrupted, forked, with a thread that ends or a system call that fails: nobody is told of a death that is none, and nothing is left behind",
            arguments: ["pause", "leave", "fork", "interrupt", "fault"])
        func interrupted(mode: String) async throws {
            try await holds(["queue.send", "queue.receive", "segment.", "--mode", mode, "--every", "5000"])
        }

        @Test("L3 a chain of survivors, each killed while it repairs after the one before: the last one finishes")
        func chain() async throws {
            try await holds(["segment.repair-chain", "--every", "1500"])
        }

        /// Runs the lab, with a patience that a machine at work does not exhaust: in a debug build who is stepped, or interrupted every 30 µs, is slow.
        private func holds(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let run = try await LabProgram("crashlab", ["run"] + arguments + ["--patience", "120000"])
            #expect(run.status == 0 && run.text.contains(" 0 failed"), "\(run.text)", sourceLocation: sourceLocation)
        }

        @Test("a run that is told to end reports how far it came")
        func interruptedRun() async throws {
            let run = try await LabProgram("crashlab", ["run", "queue.", "--all"], signal: Signal.terminate)
            #expect(run.status == -Signal.terminate, "\(run.text)")
            #expect(run.text.contains("queue.send ") && run.text.contains(" 0 failed, seed "), "\(run.text)")
        }

        @Test("every scenario is named with its modes")
        func list() async throws {
            let run = try await LabProgram("crashlab", ["list"])
            #expect(run.status == 0 && run.text.contains("queue.send") && run.text.contains("orders]"), "\(run.text)")
        }
    }
#endif

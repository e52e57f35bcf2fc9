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
        func holds(arguments: [String]) async throws {
            let run = try await LabProgram("crashlab", ["run"] + arguments)
            #expect(run.status == 0 && run.text.contains(" 0 failed"), "\(run.text)")
        }

        @Test("every scenario is named with its modes")
        func list() async throws {
            let run = try await LabProgram("crashlab", ["list"])
            #expect(run.status == 0 && run.text.contains("queue.send") && run.text.contains("[kill,scribble]"), "\(run.text)")
        }
    }
#endif

import Testing

#if arch(x86_64)
    /// The lab finds what is known to be wrong, and nothing where nothing is.
    @Suite("what the crash lab finds", .serialized) struct SubjectTests {
        @Test(
            "what is wrong is found, at a place that is told, and again by the line that is printed",
            arguments: [
                ("glibc.robustMutex", "contended", "the sleeper: HANG"), ("lock.ownerless", "kill", "to go on: HANG"),
                ("publish.flagFirst", "kill", "is announced and not there"), ("waker.clearsFlag", "contended", "the sleeper: HANG"),
                ("add.inTwoSteps", "schedule", "the sum is"), ("sleep.blindly", "schedule", "nobody can go on"),
            ])
        func found(scenario: String, mode: String, what: String) async throws {
            let run = try await LabProgram(
                "CrashLabSubjects",
                ["run", scenario, "--mode", mode, "--all", "--schedules", "1000", "--failures", "1", "--patience", "2000"])
            #expect(run.status == 1, "\(run.text)")
            #expect(run.text.contains("FAILED \(scenario) \(mode) at ") && run.text.contains(what), "\(run.text)")
            #expect(run.text.contains("\n  at ") || mode == "schedule", "the place is told: \(run.text)")
            let replay = try #require(run.replay, "\(run.text)")
            let again = try await LabProgram("CrashLabSubjects", replay + ["--patience", "2000"])
            #expect(again.status == 1 && again.text.contains(what), "\(replay): \(again.text)")
        }

        @Test("a condition variable of the C library's hangs after one sleeper was killed")
        func condition() async throws {
            let run = try await LabProgram(
                "CrashLabSubjects", ["run", "glibc.condition", "--mode", "asleep", "--failures", "1", "--patience", "2000"])
            #expect(run.status == 1 && run.text.contains("the survivor, to go on: HANG"), "\(run.text)")
        }

        @Test("nothing is found in what is right", arguments: ["publish.flagLast", "waker.keepsFlag", "add.atOnce", "sleep.afterLook"])
        func nothing(scenario: String) async throws {
            let run = try await LabProgram("CrashLabSubjects", ["run", scenario, "--all"])
            #expect(run.status == 0 && run.text.contains(" 0 failed"), "\(run.text)")
        }

        @Test(
            "arguments that make no sense are refused",
            arguments: [["run", "no.such"], ["run", "--mode", "x"], ["run", "--point", "x"], ["run", "--every", "0"], ["dance"]])
        func refused(arguments: [String]) async throws {
            #expect(try await LabProgram("CrashLabSubjects", arguments).status == 64)
        }
    }
#endif

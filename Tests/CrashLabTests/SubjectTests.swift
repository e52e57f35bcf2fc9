import Testing

#if arch(x86_64)
    /// The lab finds what is known to be wrong, and nothing where nothing is.
    @Suite("what the crash lab finds", .serialized) struct SubjectTests {
        @Test(
            "what is wrong is found, at a place that is told, and again by the line that is printed",
            arguments: [
                ("glibc.robustMutex", "contended", "the sleeper: HANG"), ("lock.ownerless", "kill", "to go on: HANG"),
                ("publish.flagFirst", "kill", "is announced and not there"),
                ("publish.flagFirst.async", "kill", "is announced and not there"), ("publish.notAsync", "kill", "it is not asynchronous"),
                ("waker.clearsFlag", "contended", "the sleeper: HANG"),
                ("add.inTwoSteps", "schedule", "the sum is"), ("sleep.blindly", "schedule", "nobody can go on"),
                ("add.inTwoSteps", "orders", "the sum is"), ("sleep.blindly", "orders", "nobody can go on"),
                ("lease.ofTheSlow", "pause", "the sum is"), ("life.ofThread", "leave", "its death was told"),
                ("lock.inherited", "fork", "to go on: HANG"), ("wait.interrupted", "interrupt", "it went on at"),
                ("fail.locked", "fault", "HANG"),
            ])
        func found(scenario: String, mode: String, what: String) async throws {
            let run = try await LabProgram(
                "CrashLabSubjects",
                ["run", scenario, "--mode", mode, "--every", "1", "--schedules", "1000", "--failures", "1", "--patience", "2000"])
            #expect(run.status == 1, "\(run.text)")
            #expect(run.text.contains("FAILED \(scenario) \(mode) at ") && run.text.contains(what), "\(run.text)")
            // An operation that isn't what it says is found as a whole: no place of it is to blame.
            #expect(
                run.text.contains("\n  at ") || ["schedule", "orders", "interrupt"].contains(mode) || scenario == "publish.notAsync",
                "the place is told: \(run.text)")
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

        @Test("a storm finds a lock that wakes nobody, although each death wakes all; and nothing in one that does")
        func silent() async throws {
            let run = try await LabProgram(
                "CrashLabSubjects", ["run", "mutex.silent", "--kills", "300", "--failures", "1", "--patience", "4000"])
            #expect(run.status == 1 && run.text.contains("of the storm: HANG"), "\(run.text)")
            let right = try await LabProgram("CrashLabSubjects", ["run", "mutex.wakes", "--kills", "300", "--patience", "60000"])
            #expect(right.status == 0 && right.text.contains(" 0 failed"), "\(right.text)")
        }

        @Test(
            "a point that the operation does not reach, or that the mode does not have, is not counted as tried",
            arguments: [("kill", "i99999999"), ("kill", "c500"), ("kill", "s1"), ("pause", "i99999999")])
        func void(mode: String, point: String) async throws {
            let run = try await LabProgram("CrashLabSubjects", ["run", "publish.flagLast", "--mode", mode, "--point", point])
            #expect(run.status == 1 && run.text.contains("0 points, 0 failed"), "\(run.text)")
        }

        @Test(
            "nothing is found in what is right",
            arguments: [
                "publish.flagLast", "publish.flagLast.async", "waker.keepsFlag", "add.atOnce", "sleep.afterLook", "lease.ofTheDead",
                "lock.ofProcess", "wait.again",
                "fail.unlocked", "sleep.forTheLate",
            ])
        func nothing(scenario: String) async throws {
            let run = try await LabProgram("CrashLabSubjects", ["run", scenario, "--every", "1", "--patience", "120000"])
            #expect(run.status == 0 && run.text.contains(" 0 failed"), "\(run.text)")
        }

        @Test("a point is the same whether its operation is stepped from the beginning or from a breakpoint before it")
        func skipped() async throws {
            func run(_ more: String...) async throws -> [Substring] {
                let run = try await LabProgram(
                    "CrashLabSubjects",
                    ["run", "far.away", "--mode", "kill", "--every", "211", "--seed", "1", "--failures", "1000", "--workers", "1"] + more)
                return run.text.split(separator: "\n").filter { $0.hasPrefix("FAILED") }
            }
            let skipped = try await run()
            let stepped = try await run("--from-start")
            #expect(skipped.count > 30 && Set(skipped).count == skipped.count)
            // Where the first few have been stepped through, the others need not be.
            #expect(skipped == stepped)
        }

        @Test("schedules with few switches are all tried: one switch loses an addition, none does")
        func enumerated() async throws {
            func run(_ preemptions: Int) async throws -> LabProgram {
                try await LabProgram(
                    "CrashLabSubjects",
                    [
                        "run", "add.inTwoSteps", "--mode", "orders", "--orders", "10000", "--preemptions", "\(preemptions)", "--failures",
                        "10000",
                    ])
            }
            let none = try await run(0)
            // Who begins is no switch: two orders.
            #expect(none.status == 0 && none.text.contains("2 enumerated schedules, 0 failed"), "\(none.text)")
            let one = try await run(1)
            #expect(one.status == 1 && !one.text.contains("of more"), "\(one.text)")
            // Lost between reading and writing, three times each way round.
            #expect(one.text.contains("enumerated schedules, 6 failed"), "\(one.text)")
        }

        @Test("the report for programs names each scenario and mode, failures with their line, and the totals")
        func json() async throws {
            let run = try await LabProgram(
                "CrashLabSubjects", ["run", "add.inTwoSteps", "add.atOnce", "--mode", "orders", "--json", "--failures", "1", "--seed", "7"])
            #expect(run.status == 1)
            for part in [
                #"{"seed": 7, "seconds": "#, #""held": false"#, #""unit": "enumerated schedules""#,
                #"{"scenario": "add.atOnce", "mode": "orders""#, #""failed": 0, "seed": 7"#, #""again": ""#, "--mode orders --point o",
            ] { #expect(run.text.contains(part), "\(part): \(run.text)") }
        }

        @Test(
            "arguments that make no sense are refused",
            arguments: [["run", "no.such"], ["run", "--mode", "x"], ["run", "--point", "x"], ["run", "--every", "0"], ["dance"]])
        func refused(arguments: [String]) async throws {
            #expect(try await LabProgram("CrashLabSubjects", arguments).status == 64)
        }
    }
#endif

import Interprocess
import InterprocessSystem

/// What a demonstration has shown, for people and for programs.
struct DemoReport {
    let file: String
    let plan: DemoPlan
    let expectedDigest: UInt64
    /// The transfer whose sender was killed.
    var death: DemoDeath?
    /// One for each medium: the middle one of its rounds.
    var transfers: [DemoTransfer] = []
    /// Those of all rounds.
    var all: [DemoTransfer] = []

    init(file: String, plan: DemoPlan, expectedDigest: UInt64) {
        self.file = file
        self.plan = plan
        self.expectedDigest = expectedDigest
    }

    /// What did not hold, in words; empty if all did.
    var failures: [String] {
        var failures: [String] = []
        func require(_ condition: Bool, _ failure: String) { if !condition { failures.append(failure) } }
        if let death {
            require(death.firstEnding == .signalled(Signal.kill), "the first sender had ended before it could be killed")
            require(death.bytesAtKill < plan.streamSize, "the sender was killed after the end, not in the middle")
            require(death.noticePID == death.firstPID, "the death notice named pid \(death.noticePID), and \(death.firstPID) was killed")
            require(
                death.firstSequenceOfSecond == death.sequenceAtDeath,
                "the second sender began with message \(death.firstSequenceOfSecond), the receiver had received \(death.sequenceAtDeath)"
            )
        } else {
            failures.append("nobody was killed")
        }
        for transfer in all + [death?.transfer].compactMap(\.self) {
            let name = transfer.medium.title
            require(
                transfer.receivedMessages == plan.messages && transfer.receivedBytes == plan.streamSize,
                "\(name): \(transfer.receivedMessages) messages of \(plan.messages) were received")
            require(
                transfer.sentDigest == expectedDigest && transfer.receivedDigest == expectedDigest,
                """
                \(name): the checksums differ: file \(hex(expectedDigest)), sent \(hex(transfer.sentDigest)), \
                received \(hex(transfer.receivedDigest))
                """)
            require(transfer.leftNothing, "\(name): a queue was left behind")
        }
        return failures
    }

    var heading: String {
        """
        Streaming \(plan.repeats == 1 ? file : "\(file) \(plan.repeats) times"), \(byteCount(plan.streamSize)) in \
        \(plan.messages) messages, from one process to another through shared memory:

        """
    }

    var story: String {
        guard let death else { return "" }
        return """
              sender           pid \(death.firstPID), killed with SIGKILL when \(byteCount(death.bytesAtKill)) had been received
              death notice     pid \(death.noticePID), noticed \(microseconds(death.noticedAfter)) after the kill
              receiver         pid \(death.receiverPID), told \(microseconds(death.toldAfter)) after the kill, with all \
            \(death.sequenceAtDeath) published messages received
              second sender    pid \(death.secondPID), carried on with message \(death.firstSequenceOfSecond)
              received         \(death.transfer.receivedMessages) of \(plan.messages) messages in order, none lost, none doubled
              checksum         \(hex(death.transfer.receivedDigest)) received, \(hex(death.transfer.sentDigest)) sent, \
            \(hex(expectedDigest)) in the file (XXH64)

            The same stream without a kill, and by other means:


            """
    }

    var table: String {
        var table = TextRows(.left("medium"), .right("GiB"), .right("seconds"), .right("GiB/s"), .right("CPU seconds"), .right("ratio"))
        let gibibytes = Double(plan.streamSize) / Double(1 << 30)
        let baseline = transfers.first?.seconds ?? 0
        // A tiny stream has figures too.
        let digits = gibibytes < 0.1 ? 6 : 2
        table.rows = transfers.map { transfer in
            [
                transfer.medium.title, formatted(gibibytes, digits: digits), formatted(transfer.seconds, digits: digits + 1),
                formatted(gibibytes / transfer.seconds, digits: 2), formatted(transfer.processorSeconds, digits: digits + 1),
                formatted(baseline / transfer.seconds, digits: 2),
            ]
        }
        return table.text()
    }

    var json: JSONValue {
        .object([
            ("file", .string(file)), ("bytes", .int(plan.streamSize)), ("messages", .int(plan.messages)), ("held", .bool(failures.isEmpty)),
            ("failures", .array(failures.map { .string($0) })), ("checksum", .string(hex(expectedDigest))),
            ("death", death?.json ?? .null),
            (
                "transfers",
                .array(
                    transfers.map { transfer in
                        .object([
                            ("medium", .string(transfer.medium.rawValue)), ("bytes", .int(transfer.receivedBytes)),
                            ("seconds", .number(transfer.seconds, digits: 6)),
                            ("bytesPerSecond", .number(Double(transfer.receivedBytes) / transfer.seconds, digits: 0)),
                            ("processorSeconds", .number(transfer.processorSeconds, digits: 6)),
                        ])
                    })
            ),
        ])
    }

    fileprivate func microseconds(_ nanoseconds: UInt64) -> String { "\(formatted(Double(nanoseconds) / 1000, digits: 0)) µs" }

    private func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension DemoDeath {
    fileprivate var json: JSONValue {
        .object([
            ("killed", .int(Int(firstPID))), ("noticed", .int(Int(noticePID))), ("receiver", .int(Int(receiverPID))),
            ("successor", .int(Int(secondPID))), ("bytesAtKill", .int(bytesAtKill)), ("noticedAfterNanoseconds", .unsigned(noticedAfter)),
            ("toldAfterNanoseconds", .unsigned(toldAfter)), ("sequenceAtDeath", .unsigned(sequenceAtDeath)),
            ("successorBeganAt", .unsigned(firstSequenceOfSecond)), ("seconds", .number(transfer.seconds, digits: 6)),
        ])
    }
}

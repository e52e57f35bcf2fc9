import CrashLab
import Interprocess
import InterprocessSystem

/// Streamed replies: the client that reads one, or the server that sends it, killed.
let serviceStreamScenarios: [Scenario] = [readStream(.blocking), readStream(.suspending), sendStream(.blocking), sendStream(.suspending)]

private let parts: UInt64 = 3

/// The victim reads a streamed reply.
private func readStream(_ form: Form) -> Scenario {
    Scenario(
        "service.stream.read" + form.rawValue, "a client of a stream", segments: ["s"], victimWaits: true,
        survivor: { site in
            let ends = try ServiceEnds(site)
            let open = Holder<ServerCall<Numbered, Numbered>>(nil)
            var sent: UInt64 = 0
            func goOnSending() throws {
                if open.value == nil {
                    open.value = try ends.server.tryTake()
                    sent = 0
                }
                guard let call = open.value.take() else { return }
                do {
                    if call.isStreamed, sent < parts {
                        try call.send(Numbered(call.request.number + sent), until: .shortly)
                        sent += 1
                        open.value = consume call
                    } else if call.isStreamed {
                        try call.finish()
                    } else {
                        let reply = Numbered(call.request.number + 1)
                        try call.reply(reply)
                    }
                } catch ServeError.callerGone {}
            }
            return Survivor(
                prepare: { site.begin() }, rouse: { try goOnSending() }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    try ends.client.segment.awaitPeers(2)
                    while open.value != nil { try goOnSending() }
                    try ends.settle()
                })
        }
    ) { victim in
        let client = try openClient(victim.site)
        _ = try? client.stream(Numbered(8), until: .shortly).next()
        try victim.step(by: form) {
            var next: UInt64 = 0
            func check(_ part: Numbered) throws {
                try Violation.unless(part.isWhole(7 + next), "part \(next) is \(part.number), or torn")
                next += 1
            }
            try form.call {
                let stream = client.stream(Numbered(7))
                while let part = try stream.next() { try check(part) }
            } _: {
                for try await part in client.stream(Numbered(7)) { try check(part) }
            }
            try Violation.unless(next == parts, "the stream ended after \(next) parts")
        }
    }
}

/// The victim sends a streamed reply.
private func sendStream(_ form: Form) -> Scenario {
    Scenario(
        "service.stream.send" + form.rawValue, "a server that sends a stream", segments: ["s"],
        survivor: { site in
            let ends = try ServiceEnds(site)
            return Survivor(
                prepare: {
                    site.begin()
                    ends.outcome.withLock { $0 = nil }
                    let before = ends.client.statistics.waiting
                    try startServiceThread(named: "reader") {
                        let result = Result<UInt64, any Error> {
                            var next: UInt64 = 0
                            let stream = ends.client.stream(Numbered(7))
                            while let part = try stream.next() {
                                // One reply of the survivor's own is a part as well.
                                if next == 0, part.isWhole(8) { return 1 }
                                try Violation.unless(part.isWhole(7 + next), "part \(next) is \(part.number), or torn")
                                next += 1
                            }
                            return next
                        }
                        ends.outcome.withLock { $0 = result }
                    }
                    hold { ends.client.statistics.waiting > before }
                },
                goOn: {
                    while ends.outcome.withLock({ $0 == nil }) {
                        try ends.server.replyToAll()
                        sleepThread(for: .microseconds(20))
                    }
                    switch ends.outcome.withLock({ $0 }) {
                    case .success(let count)?:
                        // Else it was this survivor that replied, with one part, before the victim took the call.
                        try Violation.unless(count == parts || count == 1, "the stream had \(count) parts")
                    case .failure(CallError.peerDied)?:
                        try Violation.unless(!site.isDone, "the stream had ended, and its client is told of a death")
                    case .failure(CallError.unanswered)? where !site.isDone: break
                    case .failure(let error): throw Violation("the stream: \(error)")
                    case nil: break
                    }
                    try ends.settle()
                })
        }
    ) { victim in
        let server = try openServer(victim.site)
        try victim.step(by: form) {
            try victim.site.doing {
                try form.call {
                    guard let call = try server.take() else { throw Violation("the server has stopped") }
                    let number = call.request.number
                    for part in 0..<parts { try call.send(Numbered(number + part)) }
                    try call.finish()
                } _: {
                    guard let call = try await server.take() else { throw Violation("the server has stopped") }
                    let number = call.request.number
                    for part in 0..<parts { try await call.send(Numbered(number + part)) }
                    try call.finish()
                }
            }
        }
    }.notRepeated
}

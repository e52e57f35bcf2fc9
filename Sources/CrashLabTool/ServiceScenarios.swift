import CrashLab
import Interprocess
import InterprocessSystem

/// Request and reply: a client or a server killed.
let serviceScenarios: [Scenario] =
    [call, callServed, callAlone, serve, serveAgain, serveAsleep, replyToNobody, readStream, sendStream, joinClient, joinServer]
    + serviceConcurrentScenarios

/// What a server that sleeps does: it must get one call.
private func serving(_ index: Int) -> @Sendable (Bystander) throws -> Void {
    { process in
        let server = try openServer(process.site)
        try process.sleeping(index) {
            guard let call = try server.take() else { throw Violation("the server has stopped") }
            let reply = Numbered(call.request.number + 1)
            do { try call.reply(reply) } catch ServeError.callerGone {}
        }
    }
}

/// What a client that sleeps does: it must get a reply.
private func calling(_ index: Int) -> @Sendable (Bystander) throws -> Void {
    { process in
        let client = try openClient(process.site)
        try process.sleeping(index) { try client.ask(700 + UInt64(index)) }
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let (client, server) = (try openClient(third.site), try openServer(third.site))
    _ = try client.askShortly()
    try server.replyToAll()
    third.awaitKill()
    try server.replyToAll()
    _ = try client.askShortly()
}

/// The victim calls, and waits for the reply.
private let call = calling("service.call", "a client in a call").with(sleepers: [calling(0), calling(1)])
private let callServed = calling("service.call.served", "a client in a call for which servers wait").with(sleepers: [
    serving(0), serving(1),
])

private func calling(_ name: String, _ summary: String) -> Scenario {
    Scenario(
        name, summary, segments: ["s"], victimWaits: true,
        survivor: { site in
            let ends = try ServiceEnds(site)
            return Survivor(
                prepare: { site.begin() }, rouse: { try ends.server.replyToAll() }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    try ends.awakeAll()
                    try ends.settle()
                })
        }
    ) { victim in
        let client = try openClient(victim.site)
        _ = try client.askShortly(8)
        try victim.step { try victim.site.doing { try client.ask(7) } }
    } third: {
        try third($0)
    }
}

/// The victim calls where nobody serves, and gives up.
private let callAlone = Scenario(
    "service.call.give-up", "a client that gives up a call", segments: ["s"],
    survivor: { site in
        let ends = try ServiceEnds(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { _ = try ends.client.askShortly() },
            goOn: {
                try ends.awakeAll()
                try ends.settle()
            })
    }
) { victim in
    let client = try openClient(victim.site)
    _ = try client.askShortly(8)
    try victim.step { _ = try client.askShortly(7, until: .soon) }
} third: {
    try third($0)
} scribbled: {
    try useScribbled($0)
}.with(sleepers: [calling(0)])

private func serving(
    _ name: String, _ summary: String, retries: Int
) -> Scenario {
    Scenario(
        name, summary, segments: ["s"],
        survivor: { site in
            let ends = try ServiceEnds(site, retries: retries)
            return Survivor(
                prepare: {
                    site.begin()
                    try ends.begin(7)
                }, meanwhile: { _ = ends.client.statistics },
                goOn: {
                    // Whatever the dead one had not taken, or what is sent again, is served here.
                    while ends.outcome.withLock({ $0 == nil }) {
                        try ends.server.replyToAll()
                        sleepThread(for: .microseconds(20))
                    }
                    switch ends.outcome.withLock({ $0 }) {
                    case .success(let number)?: try Violation.unless(number == 8, "the reply is \(number)")
                    case .failure(CallError.peerDied(let notice))?:
                        try Violation.unless(retries == 0, "the call was not sent again")
                        try Violation.unless(notice.held == .calls, "the dead one held \(notice.held)")
                        try Violation.unless(!site.isDone, "the call was replied to, and its client told of a death")
                    // There was no room for the reply.
                    case .failure(CallError.unanswered)? where !site.isDone: break
                    case .failure(let error)?: throw Violation("the call: \(error)")
                    case nil: break
                    }
                    try ends.settle()
                })
        }
    ) { victim in
        let server = try openServer(victim.site)
        try victim.step {
            try victim.site.doing {
                guard let call = try server.take() else { throw Violation("the server has stopped") }
                let request = call.request
                try Violation.unless(request.isWhole(7), "the request is torn")
                try call.reply(Numbered(request.number + 1))
            }
        }
    } third: { third in
        let client = try openClient(third.site)
        _ = try client.askShortly()
        third.awaitKill()
        _ = try client.askShortly()
    }
}

/// The victim takes a call and replies.
private let serve = serving("service.take", "a server that takes a call and replies", retries: 0).notRepeated
private let serveAgain = serving("service.take.retry", "a server whose calls are sent again", retries: 1000).notRepeated

/// The victim sleeps until there is a call.
private let serveAsleep = Scenario(
    "service.take.sleep", "a server that waits", segments: ["s"], victimWaits: true,
    survivor: { site in
        let ends = try ServiceEnds(site, retries: 1000)
        return Survivor(
            prepare: {
                site.begin()
                ends.outcome.withLock { $0 = .success(8) }
            },
            rouse: { if ends.outcome.withLock({ $0 != nil }) { try ends.begin(7) } }, meanwhile: { _ = try ends.client.askShortly() },
            goOn: {
                while ends.outcome.withLock({ $0 == nil }) || site.asleep > 0 {
                    try ends.server.replyToAll()
                    if site.asleep > 0 { _ = try ends.client.askShortly(600) }
                }
                guard case .success(8)? = ends.outcome.withLock({ $0 }) else { throw Violation("the call was lost") }
                try ends.settle()
            })
    }
) { victim in
    let server = try openServer(victim.site)
    try server.replyToAll()
    try victim.step {
        guard let call = try server.take() else { throw Violation("the server has stopped") }
        let reply = Numbered(call.request.number + 1)
        do { try call.reply(reply) } catch ServeError.callerGone {}
    }
} third: {
    try third($0)
}.with(sleepers: [serving(0)])

/// The victim replies to a call that nobody waits for.
private let replyToNobody = Scenario(
    "service.reply.abandoned", "a server that replies when nobody waits any more", segments: ["s"],
    survivor: { site in
        let ends = try ServiceEnds(site)
        return Survivor(
            prepare: {
                site.begin()
                try ends.begin(7, until: .after(.milliseconds(20)))
            }, meanwhile: { _ = try ends.client.askShortly() },
            goOn: {
                hold { ends.outcome.withLock { $0 != nil } }
                try ends.settle()
            })
    }
) { victim in
    let server = try openServer(victim.site)
    let call: ServerCall<Numbered, Numbered>?
    do { call = try server.take(until: .after(.milliseconds(20))) } catch ServeError.deadline { call = nil }
    let held = Holder(call)
    if held.value != nil { hold { held.value?.isCancelled ?? true } }
    try victim.step {
        guard let call = held.value.take() else { return }
        do {
            try call.reply(Numbered(8))
            throw Violation("the reply reached somebody")
        } catch ServeError.callerGone {}
    }
}

extension Scenario {
    /// The call is over when its server has failed.
    fileprivate var notRepeated: Scenario {
        var scenario = self
        scenario.canRepeat = false
        return scenario
    }
}

private let parts: UInt64 = 3

/// The victim reads a streamed reply.
private let readStream = Scenario(
    "service.stream.read", "a client of a stream", segments: ["s"], victimWaits: true,
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
    try victim.step {
        let stream = client.stream(Numbered(7))
        var next: UInt64 = 0
        while let part = try stream.next() {
            try Violation.unless(part.isWhole(7 + next), "part \(next) is \(part.number), or torn")
            next += 1
        }
        try Violation.unless(next == parts, "the stream ended after \(next) parts")
    }
}

/// The victim sends a streamed reply.
private let sendStream = Scenario(
    "service.stream.send", "a server that sends a stream", segments: ["s"],
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
    try victim.step {
        try victim.site.doing {
            guard let call = try server.take() else { throw Violation("the server has stopped") }
            let number = call.request.number
            for part in 0..<parts { try call.send(Numbered(number + part)) }
            try call.finish()
        }
    }
}.notRepeated

/// The victim opens a client, and lets go of it.
private let joinClient = joining("service.join.client", "one that becomes a client and leaves") { _ = try openClient($0) }
private let joinServer = joining("service.join.server", "one that becomes a server and leaves") { _ = try openServer($0) }

private func joining(_ name: String, _ summary: String, _ open: @escaping @Sendable (Site) throws -> Void) -> Scenario {
    Scenario(
        name, summary, segments: ["s"],
        survivor: { site in
            let ends = try ServiceEnds(site)
            return Survivor(
                prepare: { site.begin() }, meanwhile: { _ = try ends.client.askShortly() },
                goOn: {
                    try ends.settle()
                    try Violation.unless(ends.client.servers == 1, "there are \(ends.client.servers) servers")
                })
        }
    ) { victim in
        try open(victim.site)
        try victim.step { try open(victim.site) }
    }
}

/// Whatever stands in the shared bytes, calls come back.
private func useScribbled(_ victim: Victim) throws {
    let ends = try ServiceEnds(victim.site)
    func all(_ deadline: Deadline) {
        _ = try? ends.client.call(Numbered(1), until: deadline)
        _ = try? ends.client.tryCall(Numbered(1), until: .now)
        let stream = ends.client.stream(Numbered(2), until: deadline)
        _ = try? stream.next()
        if let call = try? ends.server.take(until: deadline) {
            _ = (call.isCancelled, call.deadline, call.caller)
            try? call.send(Numbered(1), until: deadline)
            try? call.finish()
        }
        // To a stream that nobody reads a reply waits for ever.
        if let call = try? ends.server.tryTake(), !call.isStreamed { try? call.reply(Numbered(3)) }
        if let call = try? ends.server.tryTake() { try? call.fail(ServiceFailure("no", code: 4)) }
        _ = (ends.client.statistics, ends.client.servers)
    }
    all(.now)
    try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
}

import CrashLab
import Interprocess
import InterprocessSystem

let serviceCapacity = 3

func openClient(_ site: Site, retries: Int = 0, lasting: Bool = false, capacity: Int = serviceCapacity) throws -> Client<Numbered, Numbered>
{
    try Client("s", capacity: capacity, policy: CallPolicy(retries: retries), options: serviceOptions(site, lasting), strategy: .park)
}

func openServer(_ site: Site, lasting: Bool = false, capacity: Int = serviceCapacity) throws -> Server<Numbered, Numbered> {
    try Server("s", capacity: capacity, options: serviceOptions(site, lasting), strategy: .park)
}

private func serviceOptions(_ site: Site, _ lasting: Bool) -> ServiceOptions {
    ServiceOptions(directory: site.directory, lifetime: lasting ? .untilRemoved : .untilLastPeerLeaves)
}

extension Client<Numbered, Numbered> {
    /// The reply must be that of this very call.
    func ask(_ number: UInt64, by form: Form = .blocking, until deadline: @autoclosure () -> Deadline = .never) throws {
        let reply = try form.call {
            try call(Numbered(number), until: deadline())
        } _: {
            try await call(Numbered(number), until: deadline())
        }
        try Violation.unless(reply.isWhole(number + 1), "call \(number) got the reply \(reply.number), or a torn one")
    }

    /// False if there was no reply in time.
    func askShortly(_ number: UInt64 = 500, until deadline: Deadline = .shortly) throws -> Bool {
        do { try ask(number, until: deadline) } catch CallError.deadline { return false }
        return true
    }
}

extension Server<Numbered, Numbered> {
    /// Takes a call and replies to it. A caller that is gone is nothing.
    func serveOne(_ form: Form = .blocking, until deadline: @autoclosure () -> Deadline = .never) throws {
        func reply(_ call: consuming ServerCall<Numbered, Numbered>?) throws {
            guard let call else { throw Violation("the server has stopped") }
            let request = call.request
            try Violation.unless(request.isWhole(request.number), "request \(request.number) is torn")
            do { try call.reply(Numbered(request.number + 1)) } catch ServeError.callerGone {}
        }
        try form.call {
            try reply(try take(until: deadline()))
        } _: {
            try reply(try await take(until: deadline()))
        }
    }

    /// Replies to all calls that wait; to how many of a number below 100.
    @discardableResult
    func replyToAll() throws -> Int {
        var victims = 0
        while let call = try tryTake() {
            let request = call.request
            try Violation.unless(request.isWhole(request.number), "request \(request.number) is torn")
            if request.number < 100 { victims += 1 }
            do { try call.reply(Numbered(request.number + 1)) } catch ServeError.callerGone {}
        }
        return victims
    }
}

/// A service as a survivor has it.
@safe
final class ServiceEnds: @unchecked Sendable {
    let client: Client<Numbered, Numbered>
    let server: Server<Numbered, Numbered>
    private let site: Site
    /// What became of a call that a thread of the survivor's makes.
    let outcome = Lock<Result<UInt64, any Error>?>(nil)

    init(_ site: Site, retries: Int = 0, lasting: Bool = false, capacity: Int = serviceCapacity) throws {
        client = try openClient(site, retries: retries, lasting: lasting, capacity: capacity)
        server = try openServer(site, lasting: lasting, capacity: capacity)
        self.site = site
    }

    /// Begins a call in a thread of its own, and waits until it is sent.
    func begin(_ number: UInt64, until deadline: Deadline = .never) throws {
        outcome.withLock { $0 = nil }
        let before = client.statistics.waiting
        try startServiceThread(named: "caller") { [self] in
            let result = Result<UInt64, any Error> { try client.call(Numbered(number), until: deadline).number }
            outcome.withLock { $0 = result }
        }
        hold { client.statistics.waiting > before || outcome.withLock { $0 != nil } }
    }

    /// As many calls at once as there are records are all answered, and nothing is left.
    func settle() throws {
        try client.segment.awaitPeers(2)
        try server.replyToAll()
        try passFull()
    }

    func passFull() throws {
        try Violation.unless(client.statistics.inFlight == 0, "something is left: \(client.statistics)")
        let failures = Lock<[String]>([])
        let done = Lock(0)
        for number in 0..<UInt64(client.capacity) {
            try startServiceThread(named: "caller") { [client] in
                do { try client.ask(1000 + number) } catch { failures.withLock { $0.append("\(error)") } }
                done.withLock { $0 += 1 }
            }
        }
        hold { client.statistics.waiting == client.capacity || failures.withLock { !$0.isEmpty } }
        while done.withLock({ $0 }) < client.capacity {
            try server.replyToAll()
            sleepThread(for: .microseconds(20))
        }
        if let failure = failures.withLock({ $0.first }) { throw Violation("a call afterwards: \(failure)") }
        hold { client.statistics.inFlight == 0 }
    }

    /// Those who sleep get what they wait for.
    func awakeAll() throws {
        while site.asleep > 0 {
            try server.replyToAll()
            _ = try client.askShortly(600)
        }
    }
}

extension Scenario {
    /// The call is over when its server has failed.
    var notRepeated: Scenario {
        var scenario = self
        scenario.canRepeat = false
        return scenario
    }
}

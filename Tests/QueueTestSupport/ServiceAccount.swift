public import Interprocess
import InterprocessSystem

/// What the processes of a service's soak write down: how often each was answered, was told of a death, and has served.
public struct ServiceAccount: Sendable {
    public enum Word: Int, CaseIterable, Sendable {
        case answered, died, served, abandoned
    }

    public let segment: Segment

    public static func create(in directory: ObjectDirectory) throws -> ServiceAccount {
        ServiceAccount(segment: try Segment.create("service-account", size: 4096, in: directory))
    }

    public static func open(in directory: ObjectDirectory) throws -> ServiceAccount {
        ServiceAccount(segment: try Segment.open("service-account", in: directory))
    }

    private func shared(_ word: Word) -> SharedUInt64 {
        unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + word.rawValue * 64) }
    }

    public func count(_ word: Word) { shared(word).add(1) }
    public subscript(word: Word) -> Int { Int(shared(word).loadAcquire()) }
    public var summary: String { Word.allCases.map { "\($0) \(self[$0])" }.joined(separator: ", ") }
}

/// A service of soak messages.
public enum SoakService {
    public typealias Caller = Client<SoakMessage, SoakMessage>
    public typealias Answerer = Server<SoakMessage, SoakMessage>

    private static func options(_ directory: ObjectDirectory) -> ServiceOptions {
        ServiceOptions(directory: directory, lifetime: .untilRemoved)
    }

    public static func client(
        in directory: ObjectDirectory, retries: Int = 0, whenNoServer: CallPolicy.WithoutServer = .wait
    ) throws -> Caller {
        try Caller(
            "s", capacity: 16, policy: CallPolicy(retries: retries, whenNoServer: whenNoServer), options: options(directory))
    }

    public static func server(in directory: ObjectDirectory) throws -> Answerer {
        try Answerer("s", capacity: 16, options: options(directory))
    }

    /// What a request is answered with.
    public static func reply(to request: SoakMessage) -> SoakMessage { SoakMessage(Int(request.stream), request.number &+ 1_000_000_007) }
}

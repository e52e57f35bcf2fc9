import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

/// Calls things at random while another process, a new one each round, writes random words over what they use: every call must come back, with what it is there for or with
/// a typed error. Goes on for as many more rounds as it takes that both come about.
///
/// - Parameter scribbler: starts a process that says "ready" and then writes, by this seed.
func callWhileScribbled(
    _ what: String, _ calls: [(String, () throws -> Void)], eachRound count: Int, watch: HangWatch,
    scribbler: (UInt64) throws -> PeerProcess
) throws {
    var random = SeededRandom(for: "scribbling over \(what)")
    var endings: [String: Int] = [:]
    let rounds = SeededRandom.setting("IPC_SYNC_SCRIBBLES", default: 6)
    for round in 0..<(50 * rounds) where round < rounds || endings["damaged"] == nil || endings["got"] == nil {
        let process = try scribbler(random.next())
        try process.says("ready")
        for call in 0..<count {
            let (name, body) = calls[Int.random(in: calls.indices, using: &random)]
            watch.step("round \(round), call \(call): \(name)")
            let ending = syncOutcome {
                do { try body() } catch is InterprocessError { return "not opened" }
                return "got"
            }
            #expect(!ending.hasPrefix("error"), "\(name): \(ending)")
            endings[String(ending.prefix { $0 != " " }), default: 0] += 1
        }
        process.kill()
        try process.ends()
    }
    print("scribbling over \(what): \(endings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
    #expect(endings["damaged", default: 0] > 0 && endings["got", default: 0] > 0)
}

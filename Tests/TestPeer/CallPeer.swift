import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Commands of processes that call over a handoff. Arguments: DIRECTORY NAME ROLE DATASIZE ….
let callCommands: [String: Command] = ["call-serve": callServe, "call-storm": callStorm, "call-make": callMake, "call-fork": callFork]

extension [String] {
    fileprivate func joinForCalls() throws -> Handoff {
        let (directory, name) = try place()
        let options = HandoffOptions(directory: directory, dataSize: try number(3))
        return try Handoff.join(name, as: self[2] == "parent" ? .parent : .child, options: options)
    }
}

extension Handoff {
    /// Performs the methods of the tests.
    fileprivate mutating func perform(_ method: UInt32) throws {
        switch method {
        case Add.id: try answer(Add.self) { $1.a &+ $1.b }
        case Doubling.id: try answer(Doubling.self) { try $0.double($1) }
        case Solve.id: try answer(Solve.self) { try $0.solve($1) }
        case Descend.id: try answer(Descend.self) { try $0.descend($1) }
        case Fail.id:
            try answer(Fail.self) { _, code in
                if code == 0 { throw Unforeseen() }
                throw HandoffFailure(code: code)
            }
        case Hold.id:
            try answer(Hold.self) { side, numbers in
                var span = try side.mutableSpan(of: numbers)
                if !span.isEmpty { span[0] = 77 }
                say("holding")
                // Not a loop that the compiler sees to be endless: it would end `side`, an inout value that is not used after it, before the loop.
                while getppid() != 0 { pause() }
                return NoValue()
            }
        case Allocate.id:
            try answer(Allocate.self) { side, size in Int64(try side.allocate(repeating: UInt8(1), count: Int(size)).offset) }
        case Nap.id:
            try answer(Nap.self) { _, number in
                say("napping")
                _ = readLine()
                return number
            }
        default: break
        }
    }
}

/// Performs what is called until the other side has ended; joins anew if it was told "again".
@Sendable private func callServe(_ arguments: [String]) throws {
    var handoff = try arguments.joinForCalls()
    say("joined")
    while true {
        do {
            switch try handoff.serve({ try $0.perform($1) }) {
            case .closed: say("ended closed")
            case .died(let notice): say("ended died \(notice.pid)")
            case nil:
                say("yielded \(handoff.value ?? 0)")
                continue
            }
            return
        } catch is Unforeseen {
            say("unforeseen")
        }
    }
}

/// Performs what is called until it is killed or the other side has ended, and says nothing.
@Sendable private func callStorm(_ arguments: [String]) throws {
    var handoff = try arguments.joinForCalls()
    _ = try handoff.serve { try $0.perform($1) }
}

/// call-make … WHAT: calls the test in this way.
@Sendable private func callMake(_ arguments: [String]) throws {
    var handoff = try arguments.joinForCalls()
    switch arguments[4] {
    case "everything":
        let sum = try handoff.call(Add.self, Add.Arguments(40, 2))
        let numbers = try handoff.allocate(repeating: Int64(5), count: 10)
        let before = try handoff.call(Doubling.self, numbers)
        let after = try handoff.span(of: numbers)
        say("sum \(sum), doubled \(before) to \(after[9]), at \(numbers.offset)")
    case "many":
        // call-make … many COUNT: for what a call costs in system calls and allocations.
        let numbers = try handoff.allocate(repeating: Int64(5), count: 10)
        for _ in 0..<(try arguments.number(5)) {
            _ = try handoff.call(Add.self, Add.Arguments(40, 2))
            _ = try handoff.call(Doubling.self, numbers)
        }
        return
    case "hold":
        let numbers = try handoff.allocate(repeating: Int64(5), count: 10)
        _ = try handoff.call(Hold.self, numbers)
    case "solve":
        let numbers = try handoff.allocate(repeating: Int64(5), count: 10)
        let sum = try handoff.call(Solve.self, numbers) { side, method in
            if method == Query.id { try side.answer(Query.self) { Int64($1) * 100 } }
        }
        say("solved \(sum)")
    default: throw BadArguments()
    }
    say("done")
    try forEachLine { _ in }
}

/// Forks with the handoff open and an array in it; the child says what it finds, then this process goes on.
@Sendable private func callFork(_ arguments: [String]) throws {
    var handoff = try arguments.joinForCalls()
    let numbers = try handoff.allocate(repeating: Int64(5), count: 10)
    try forkAndWait {
        func failure(_ body: () throws -> Void) -> String {
            do { try body() } catch { return error as? HandoffCallError == .detached ? "detached" : "\(error)" }
            return "nothing"
        }
        let call = failure { _ = try handoff.call(Add.self, Add.Arguments(1, 2)) }
        let array = failure { _ = try handoff.allocate(repeating: UInt8(0), count: 1) }
        let span = failure { _ = try handoff.span(of: numbers).count }
        say("call \(call), array \(array), span \(span)")
    }
    say("sum \(try handoff.call(Add.self, Add.Arguments(1, 2)))")
}

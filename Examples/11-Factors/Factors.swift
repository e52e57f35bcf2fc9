import Interprocess
import InterprocessSystem
import SystemPackage

/// A service: any number of programs ask, any number answer. If the one that works on a call is killed, another one gets it.
///
///     swift run Factors serve &
///     swift run Factors serve &
///     swift run Factors ask 1001 65537 1000000016000000063
@main
struct Factors {
    static let service: ObjectName = "example-factors"

    static func main() async {
        do {
            try await run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() async throws {
        let numbers = CommandLine.arguments.dropFirst(2).compactMap { UInt64($0) }
        switch CommandLine.arguments.dropFirst().first {
        case "serve":
            try await Server<UInt64, UInt64>(service).run(concurrency: 4) { number in
                guard number > 1 else { throw ServiceFailure("\(number) has no prime factor; ask for 2 or more") }
                return smallestFactor(of: number)
            }
        case "ask" where !numbers.isEmpty && numbers.count == CommandLine.arguments.count - 2: try await ask(numbers)
        default: print("usage: Factors serve | ask NUMBER …")
        }
    }

    /// Asks for all of them at once.
    static func ask(_ numbers: [UInt64]) async throws {
        // A call whose server dies goes to another one, twice at most; asking again does no harm here.
        let client = try Client<UInt64, UInt64>(service, policy: CallPolicy(retries: 2))
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in numbers {
                group.addTask {
                    do {
                        let factor = try await client.call(number, until: .after(.seconds(60)))
                        return factor == number ? "\(number) is a prime" : "\(number) = \(factor) × \(number / factor)"
                    } catch CallError.failed(let failure) {
                        return "\(failure)"
                    }
                }
            }
            for try await line in group { print(line) }
        }
    }

    static func smallestFactor(of number: UInt64) -> UInt64 {
        if number.isMultiple(of: 2) { return 2 }
        var factor: UInt64 = 3
        while factor.multipliedReportingOverflow(by: factor).partialValue <= number, factor < 1 << 32 {
            if number.isMultiple(of: factor) { return factor }
            factor += 2
        }
        return number
    }
}

import Interprocess
import InterprocessCodable
import TestSupport
import Testing

private struct Question: Codable, Sendable, Equatable {
    var text: String
    var numbers: [Int]
}

private struct Answer: Codable, Sendable, Equatable {
    var sum: Int
    var texts: [String: Int]
}

@Suite("Service of Codable values") struct CodableServiceTests {
    let directory: TemporaryDirectory
    private var options: ServiceOptions { ServiceOptions(directory: directory.objects) }

    init() throws { directory = try TemporaryDirectory() }

    @Test("R1 P1 values of any size in one line each, and what goes wrong is typed")
    func values() async throws {
        let client = try CodableClient<Question, Answer>("s", options: options)
        let server = try CodableServer<Question, Answer>("s", options: options)
        let running = Task {
            try await server.run(concurrency: 4) { question in
                if question.numbers.isEmpty { throw ServiceFailure("no numbers", code: 1) }
                return Answer(sum: question.numbers.reduce(0, +), texts: [question.text: question.numbers.count])
            }
        }
        for count in [1, 10, 100_000] {
            let numbers = Array(0..<count)
            let answer = try await client.call(Question(text: "ö\(count)", numbers: numbers))
            #expect(answer == Answer(sum: numbers.reduce(0, +), texts: ["ö\(count)": count]))
        }
        await #expect(throws: CodableCallError.call(.failed(ServiceFailure("no numbers", code: 1)))) {
            try await client.call(Question(text: "", numbers: []))
        }
        let other = try CodableClient<[Int], Answer>("s", options: options)
        do {
            _ = try await other.call([1])
            Issue.record("it was decoded")
        } catch .call(.failed(let failure)) {
            #expect(failure.text.hasPrefix("the request cannot be decoded"))
        } catch { Issue.record("\(error)") }
        let wrong = try CodableClient<Question, [Int]>("s", options: options)
        do {
            _ = try await wrong.call(Question(text: "", numbers: [1]))
            Issue.record("it was decoded")
        } catch .decoding {} catch { Issue.record("\(error)") }
        server.stop()
        try await running.value
    }

    @Test("R5 a stream of values")
    func stream() async throws {
        let client = try CodableClient<Question, Answer>("s", options: options)
        let server = try CodableServer<Question, Answer>("s", options: options)
        let running = Task {
            try await server.runStreams(concurrency: 2) { question, send in
                for number in question.numbers { try await send(Answer(sum: number, texts: [:])) }
                if question.text == "fail" { throw ServiceFailure("no more") }
            }
        }
        var sums: [Int] = []
        for try await answer in try client.stream(Question(text: "", numbers: Array(0..<500))) { sums.append(answer.sum) }
        #expect(sums == Array(0..<500))
        await #expect(throws: CodableCallError.call(.failed(ServiceFailure("no more")))) {
            for try await _ in try client.stream(Question(text: "fail", numbers: [1])) {}
        }
        server.stop()
        try await running.value
    }
}

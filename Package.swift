// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: Swift 6 mode, strict memory safety, and no warning left standing.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

extension Target {
    /// An example in Examples/`path`, of the library or of the kernel's facilities alone.
    static func example(_ name: String, _ path: String, of product: Target.Dependency? = "Interprocess") -> Target {
        .executableTarget(
            name: name,
            dependencies: (product.map { [$0] } ?? []) + ["InterprocessSystem", .product(name: "SystemPackage", package: "swift-system")],
            path: "Examples/\(path)", swiftSettings: strict)
    }
}

let package = Package(
    name: "swift-interprocess",
    products: [
        .library(name: "Interprocess", targets: ["Interprocess"]),
        .library(name: "InterprocessSystem", targets: ["InterprocessSystem"]),
        .library(name: "InterprocessCodable", targets: ["InterprocessCodable"]),
        .executable(name: "ipc", targets: ["ipc"]),
    ],
    dependencies: [
        // FileDescriptor, FilePath and Errno, so that ours are everybody's.
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        // The tool's arguments, help and completions.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Percentiles of the benchmarks.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        // Logarithms, for the scales of the report's plots; hdrhistogram-swift brings it along.
        .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
        // The tool's tables.
        .package(url: "https://github.com/ordo-one/TextTable", from: "0.0.2"),
    ],
    targets: [
        // Layouts that are shared between processes, and calls that Swift cannot spell. No logic.
        .target(name: "CInterprocess"),
        // The kernel's facilities, typed. The only module that imports Glibc.
        .target(
            name: "InterprocessSystem",
            dependencies: ["CInterprocess", .product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: strict),
        // The library.
        .target(
            name: "Interprocess",
            dependencies: ["CInterprocess", "InterprocessSystem", .product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: strict + [.enableExperimentalFeature("Lifetimes")]),
        // Services of Codable values, as JSON: apart from the library, since it needs FoundationEssentials, the toolchain's own.
        .target(name: "InterprocessCodable", dependencies: ["Interprocess"], swiftSettings: strict),
        // The floors and the rivals of the benchmarks, in C.
        .target(name: "CBenchmarkPeers"),
        // The tool.
        .executableTarget(
            name: "ipc",
            dependencies: [
                "Interprocess", "InterprocessSystem", "CBenchmarkPeers",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "RealModule", package: "swift-numerics"),
                .product(name: "TextTable", package: "TextTable"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        // The crash lab: processes killed at every instruction, and what the others do then. Stepping and signal handlers are C.
        .target(name: "CCrashLab"),
        .target(
            name: "CrashLab",
            dependencies: [
                "CCrashLab", "Interprocess", "InterprocessSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        // The lab's program, with the scenarios of the library.
        .executableTarget(
            name: "crashlab",
            dependencies: ["CrashLab", "Interprocess", "InterprocessSystem", .product(name: "SystemPackage", package: "swift-system")],
            path: "Sources/CrashLabTool", swiftSettings: strict),
        // Examples, each two small programs, or one with two parts.
        .example("FirstSender", "01-Queue/Sender"), .example("FirstReceiver", "01-Queue/Receiver"),
        .example("PassDescriptor", "02-PassDescriptor", of: nil),
        .example("DriveTerminal", "03-Terminal", of: nil), .example("Undo", "04-Undo", of: nil),
        .example("Visits", "05-MappedFile", of: nil), .example("Datagrams", "06-Datagrams", of: nil),
        .example("Counter", "07-Counter"), .example("Ledger", "08-Ledger"), .example("Frames", "09-Frames"),
        .example("Weather", "10-Weather"), .example("Factors", "11-Factors"), .example("Pool", "12-Pool"),
        .example("Guess", "13-Guess"), .example("Scores", "14-Scores"),
        // What tests need of C: fork, mount.
        .target(name: "CTestSystem", path: "Tests/CTestSystem"),
        // What tests share: directories of their own, watchdogs, processes to start and kill.
        .target(
            name: "TestSupport",
            dependencies: [
                "CTestSystem", "Interprocess", "InterprocessSystem", .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/TestSupport", swiftSettings: strict),
        // The processes that the tests start and kill.
        .executableTarget(
            name: "TestPeer",
            dependencies: [
                "CTestSystem", "QueueTestSupport", "TestSupport", "Interprocess", "InterprocessSystem",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/TestPeer", swiftSettings: strict),
        // What the tests of the queue and their processes share.
        .target(
            name: "QueueTestSupport", dependencies: ["Interprocess", "InterprocessSystem"], path: "Tests/QueueTestSupport",
            swiftSettings: strict),
        // What the crash lab must find.
        .target(name: "CCrashLabSubjects", path: "Tests/CCrashLabSubjects"),
        .executableTarget(
            name: "CrashLabSubjects",
            dependencies: ["CCrashLabSubjects", "CrashLab", "Interprocess", .product(name: "SystemPackage", package: "swift-system")],
            path: "Tests/CrashLabSubjects", swiftSettings: strict),
        .testTarget(
            name: "CrashLabTests",
            dependencies: [
                "CrashLab", "CrashLabSubjects", "crashlab", "TestSupport", "InterprocessSystem",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "InterprocessSystemTests",
            dependencies: [
                "CTestSystem", "TestSupport", "InterprocessSystem", "TestPeer", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "InterprocessCodableTests", dependencies: ["InterprocessCodable", "TestSupport", "Interprocess", "InterprocessSystem"],
            swiftSettings: strict),
        .testTarget(
            name: "InterprocessTests",
            dependencies: [
                "CTestSystem", "QueueTestSupport", "TestSupport", "CInterprocess", "Interprocess", "InterprocessSystem",
                "TestPeer", "ipc",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Golden"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

using Trust.Kernel.Hosting;

namespace Trust.Witness;

/// <summary>Every address of the witness: who may call it, how often, and what it does.</summary>
internal static class Map
{
    /// <summary>The table.</summary>
    public static RouteTable Routes(IConfiguration configuration) => new RouteTable()
        .Protocol<AddCheckpoint>("/add-checkpoint", Who.Anyone, Limit.Sign, e => e.Handle, "Cosigns a log's checkpoint after recomputing the log (C2SP tlog-witness).",
            row => row with { MaximumBody = AddCheckpointRequest.MaxBytes, ProtocolBody = WitnessRefusals.Write })
        .Get<GetCosignedCheckpoint>("/{log}/checkpoint", Who.Anyone, Limit.Read, e => e.Handle, "The newest checkpoint it has cosigned of a log, by hex SHA-256 of the log's origin.",
            row => row with { ProtocolBody = WitnessRefusals.Write })
        .Get<GetLandmark>("/{log}/landmark", Who.Anyone, Limit.Read, e => e.Handle, "Where the last volume ended that it recomputed of a log, cosigned: a later witness of a pruned log begins there.",
            row => row with { ProtocolBody = WitnessRefusals.Write });
}

using Npgsql;
using Trust.LogFormat;

namespace Trust.Kernel.Keys;

/// <summary>What a service of its own adds to a shredding.</summary>
/// <param name="Service">Its name, the actor of the event.</param>
/// <param name="KeptUntil">Until when records of the person have to be kept; null when none has. In the transaction that takes the request on, and in the one that deletes the key.</param>
/// <param name="Concerned">What records of the person concern: a legal hold on any of it keeps them; nothing where another service decides. In the same transactions.</param>
/// <param name="Erase">Takes away what is not sealed under the person's key; in the transaction that deletes the key. Repeatable.</param>
public sealed record ShreddingRules(
    string Service, Func<NpgsqlTransaction, byte[], CancellationToken, Task<DateTimeOffset?>> KeptUntil,
    Func<NpgsqlTransaction, byte[], CancellationToken, Task<List<SubjectKey>>> Concerned, Func<NpgsqlTransaction, byte[], CancellationToken, Task> Erase);

/// <summary>The named instants between a shredding's durable steps: <c>after-new-master</c>, <c>after-moves</c>, <c>before-destroy</c>, <c>after-destroy</c>.</summary>
public sealed class ShreddingPoints
{
    /// <summary>Called at each point with its name; null in service.</summary>
    public Action<string>? Reached { get; set; }

    internal void Pass(string name) => Reached?.Invoke(name);
}
